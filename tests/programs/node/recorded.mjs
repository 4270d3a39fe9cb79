// Recorded answers asked for through the makers' packages and the Vercel AI SDK: takes [{flavour, root, key, model,
// stream, tools}] from standard input, and prints a list with what each client's own objects hold, or {error}.
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { GoogleGenAI } from "@google/genai";
import { generateText, jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";

const HELLO = "Hello";
const schema = { type: "object", properties: {}, additionalProperties: true };
const openai = ({ root, key }) => new OpenAI({ baseURL: `${root}/v1`, apiKey: key, maxRetries: 0 });
const some = (tools, make) => (tools.length ? { tools: tools.map(make) } : {});

async function all(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const flavours = {
  async chat(asked) {
    const tools = some(asked.tools, (name) => ({ type: "function", function: { name, parameters: schema } }));
    const given = { model: asked.model, messages: [{ role: "user", content: HELLO }], ...tools };
    const { completions } = openai(asked).chat;
    if (!asked.stream) return await completions.create(given);
    const streamed = { ...given, stream: true, stream_options: { include_usage: true } };
    return asked.helper ? await completions.stream(streamed).finalChatCompletion() : await all(await completions.create(streamed));
  },

  "chat-helper": async (asked) => await flavours.chat({ ...asked, helper: true }),

  async responses(asked) {
    const tools = some(asked.tools, (name) => ({ type: "function", name, parameters: schema, strict: false }));
    const given = { model: asked.model, input: HELLO, ...tools };
    const { responses } = openai(asked);
    return asked.stream ? await responses.stream(given).finalResponse() : await responses.create(given);
  },

  async messages(asked) {
    const tools = some(asked.tools, (name) => ({ name, input_schema: schema }));
    const given = { model: asked.model, max_tokens: 64, messages: [{ role: "user", content: HELLO }], ...tools };
    const { messages } = new Anthropic({ baseURL: asked.root, apiKey: asked.key, maxRetries: 0 });
    return asked.stream ? await messages.stream(given).finalMessage() : await messages.create(given);
  },

  async generate(asked) {
    const declared = asked.tools.map((name) => ({ name, parametersJsonSchema: schema }));
    const config = declared.length ? { tools: [{ functionDeclarations: declared }] } : {};
    const { models } = new GoogleGenAI({ apiKey: asked.key, httpOptions: { baseUrl: asked.root } });
    const given = { model: asked.model, contents: HELLO, config };
    return asked.stream ? await all(await models.generateContentStream(given)) : [await models.generateContent(given)];
  },
};

// What the SDK calls things, whichever maker's protocol it speaks.
async function vercel(model, { stream, tools: names }) {
  const tools = Object.fromEntries(names.map((name) => [name, tool({ inputSchema: jsonSchema(schema) })]));
  let failed = null;
  const onError = ({ error }) => (failed = error);
  const given = { model, prompt: HELLO, tools, maxRetries: 0 };
  const made = stream ? streamText({ ...given, onError }) : await generateText(given);
  if (stream) await made.consumeStream({ onError: (error) => (failed = error) });
  if (failed) throw failed;
  const calls = (await made.toolCalls).map(({ toolName, input }) => [toolName, input]);
  const usage = await made.usage;
  return {
    text: await made.text,
    thinking: (await made.reasoningText) ?? "",
    calls,
    finish: await made.finishReason,
    usage: [usage.inputTokens ?? null, usage.outputTokens ?? null],
  };
}
const at = (make, path) => (asked) => vercel(make({ baseURL: `${asked.root}${path}`, apiKey: asked.key })(asked.model), asked);
flavours["vercel-chat"] = at((options) => createOpenAI(options).chat, "/v1");
flavours["vercel-responses"] = at((options) => createOpenAI(options).responses, "/v1");
flavours["vercel-messages"] = at(createAnthropic, "/v1");
flavours["vercel-generate"] = at(createGoogleGenerativeAI, "/v1beta");

let input = "";
for await (const piece of process.stdin) input += piece;
const told = [];
for (const asked of JSON.parse(input)) {
  try {
    told.push(await flavours[asked.flavour](asked));
  } catch (error) {
    told.push({ error: `${error.constructor.name}: ${error.message}` });
  }
}
console.log(JSON.stringify(told));
