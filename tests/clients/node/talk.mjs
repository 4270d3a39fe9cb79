// What an application does with the gateway, through one of the public clients: `node talk.mjs openai|cometapi MODEL`.
// Base URL and key come from the client's own variables. Prints one JSON object with what happened.
import OpenAI from "openai";
import { CometAPI } from "cometapi";

const [, , name, model] = process.argv;
const make = (more = {}) => new { openai: OpenAI, cometapi: CometAPI }[name]({ maxRetries: 0, ...more });
const messages = [{ role: "user", content: "What is the capital of France? One word." }];
const client = make();

async function whole() {
  const made = await client.chat.completions.create({ model, messages });
  return { text: made.choices[0].message.content, finish: made.choices[0].finish_reason, id: made._request_id };
}

async function streamed() {
  const stream = await client.chat.completions.create({
    model, messages, stream: true, stream_options: { include_usage: true },
  });
  let text = "", usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  return { text, usage };
}

async function lastLine() {
  const response = await client.chat.completions.create({ model, messages, stream: true }).asResponse();
  return (await response.text()).trimEnd().split("\n").at(-1);
}

async function models() {
  const ids = [];
  for await (const one of client.models.list()) ids.push(one.id);
  return ids;
}

const retrieved = async () => (await client.models.retrieve(model)).id;

async function error(act) {
  try {
    await act();
    return null;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status ?? null, code: error.code ?? null };
  }
}

// How many requests a client that may try again sends for a failure where that cannot help.
async function tries() {
  let sent = 0;
  const counting = (...args) => (sent++, fetch(...args));
  const content = 'behave: {"name": "401"}';
  const patient = make({ maxRetries: 2, fetch: counting });
  const caught = await error(() => patient.chat.completions.create({ model, messages: [{ role: "user", content }] }));
  return { sent, ...caught };
}

// A call under a name of its own, twice, then with other words; and whether the client sends a name unasked.
async function repeated() {
  const sent = [];
  const noting = (url, init) => (sent.push(new Headers(init.headers).get("idempotency-key")), fetch(url, init));
  const noted = make({ maxRetries: 2, fetch: noting });
  await noted.chat.completions.create({ model, messages });
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const first = await noted.chat.completions.create({ model, messages }, { headers }).withResponse();
  const again = await noted.chat.completions.create({ model, messages }, { headers }).withResponse();
  const other = await error(() => noted.chat.completions.create({ model, messages, seed: 1 }, { headers }));
  const replayed = again.response.headers.get("x-encke-replayed");
  const same = JSON.stringify(first.data) === JSON.stringify(again.data) && replayed === first.data._request_id;
  return { unasked: sent[0], sent: sent.length, same, other };
}

const wrongKey = () => error(() => make({ apiKey: "sk-wrong" }).chat.completions.create({ model, messages }));
const unknown = () => error(() => client.chat.completions.create({ model: "no-such-model", messages }));

const told = {};
for (const [what, act] of Object.entries({ whole, streamed, lastLine, models, retrieved, wrongKey, unknown, tries, repeated })) {
  told[what] = await act();
}
console.log(JSON.stringify(told));
