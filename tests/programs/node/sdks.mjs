// What an application does with the gateway through the makers' packages and the Vercel AI SDK:
// `node sdks.mjs FLAVOUR MODEL [FLAVOUR MODEL …]`. Prints one JSON object with what each has told.
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { GoogleGenAI } from "@google/genai";
import { generateText, isStepCount, Output, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const root = process.env.ENCKE_URL, apiKey = process.env.ENCKE_KEY;
const HELLO = "Hello?";
const behave = (options) => "behave: " + JSON.stringify(options);
const TOOL = behave({ thinking: "Hm.", signature: "c2lnbmVk", calls: [{ name: "weather", arguments: { city: "Rome" } }] });
const OBJECT = behave({ content: '{"city":"Rome"}', chunks: 1 });
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const weather = ({ city }) => `warm in ${city}`;

async function kind(act) {
  try {
    await act();
    return null;
  } catch (error) {
    return error.constructor.name;
  }
}

const flavours = {
  chat(model) {
    const client = new OpenAI({ baseURL: `${root}/v1`, apiKey, maxRetries: 0 });
    const tools = [{ type: "function", function: { name: "weather", parameters: schema } }];
    const ask = (content, more = {}) => ({ model, messages: [{ role: "user", content }], ...more });
    return {
      text: async () => (await client.chat.completions.create(ask(HELLO))).choices[0].message.content,
      streamed: async () => await client.chat.completions.stream(ask(HELLO)).finalContent(),
      async tools() {
        const messages = [{ role: "user", content: TOOL }];
        const { message } = (await client.chat.completions.create({ model, messages, tools })).choices[0];
        const [call] = message.tool_calls;
        const content = weather(JSON.parse(call.function.arguments));
        messages.push(message, { role: "tool", tool_call_id: call.id, content });
        return (await client.chat.completions.create({ model, messages, tools })).choices[0].message.content;
      },
      async object() {
        const response_format = { type: "json_schema", json_schema: { name: "place", schema, strict: true } };
        return (await client.chat.completions.parse(ask(OBJECT, { response_format }))).choices[0].message.parsed.city;
      },
      unknown: () => kind(() => client.chat.completions.create({ ...ask(HELLO), model: "no/such" })),
    };
  },

  responses(model) {
    const client = new OpenAI({ baseURL: `${root}/v1`, apiKey, maxRetries: 0 });
    const tools = [{ type: "function", name: "weather", parameters: schema, strict: true }];
    return {
      text: async () => (await client.responses.create({ model, input: HELLO })).output_text,
      streamed: async () => (await client.responses.stream({ model, input: HELLO }).finalResponse()).output_text,
      async tools() {
        const input = [{ role: "user", content: TOOL }];
        const more = { model, tools, store: false, include: ["reasoning.encrypted_content"] };
        const { output } = await client.responses.create({ ...more, input });
        const call = output.find((item) => item.type === "function_call");
        const told = weather(JSON.parse(call.arguments));
        input.push(...output, { type: "function_call_output", call_id: call.call_id, output: told });
        return (await client.responses.create({ ...more, input })).output_text;
      },
      async object() {
        const text = { format: { type: "json_schema", name: "place", schema, strict: true } };
        return (await client.responses.parse({ model, input: OBJECT, text })).output_parsed.city;
      },
      unknown: () => kind(() => client.responses.create({ model: "no/such", input: HELLO })),
    };
  },

  messages(model) {
    const client = new Anthropic({ baseURL: root, apiKey, maxRetries: 0 });
    const tools = [{ name: "weather", input_schema: schema }];
    const ask = (content) => ({ model, max_tokens: 1000, messages: [{ role: "user", content }] });
    const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
    return {
      text: async () => text(await client.messages.create(ask(HELLO))),
      streamed: async () => await client.messages.stream(ask(HELLO)).finalText(),
      async tools() {
        const first = await client.messages.stream({ ...ask(TOOL), tools }).finalMessage();
        const call = first.content.find((block) => block.type === "tool_use");
        const result = { type: "tool_result", tool_use_id: call.id, content: weather(call.input) };
        const messages = [...ask(TOOL).messages, { role: "assistant", content: first.content }, { role: "user", content: [result] }];
        return text(await client.messages.create({ ...ask(TOOL), messages, tools }));
      },
      counted: async () => (await client.messages.countTokens({ model, messages: ask(HELLO).messages })).input_tokens > 0,
      unknown: () => kind(() => client.messages.create({ ...ask(HELLO), model: "no/such" })),
    };
  },

  gemini(model) {
    const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: root } });
    const config = { tools: [{ functionDeclarations: [{ name: "weather", parametersJsonSchema: schema }] }] };
    return {
      text: async () => (await client.models.generateContent({ model, contents: HELLO })).text,
      async streamed() {
        let said = "";
        for await (const chunk of await client.models.generateContentStream({ model, contents: HELLO })) said += chunk.text ?? "";
        return said;
      },
      async tools() {
        const contents = [{ role: "user", parts: [{ text: TOOL }] }];
        const first = await client.models.generateContent({ model, contents, config });
        const [call] = first.functionCalls;
        const told = { functionResponse: { id: call.id, name: call.name, response: { result: weather(call.args) } } };
        contents.push(first.candidates[0].content, { role: "user", parts: [told] });
        return (await client.models.generateContent({ model, contents, config })).text;
      },
      async object() {
        const config = { responseMimeType: "application/json", responseJsonSchema: schema };
        return JSON.parse((await client.models.generateContent({ model, contents: OBJECT, config })).text).city;
      },
      counted: async () => (await client.models.countTokens({ model, contents: HELLO })).totalTokens > 0,
      unknown: () => kind(() => client.models.generateContent({ model: "no/such", contents: HELLO })),
    };
  },
};

const place = z.object({ city: z.string() });
const vercel = (make) => (name) => {
  const model = make(name);
  // Else its Responses' second turn only points to what OpenAI has stored.
  const providerOptions = { openai: { store: false } };
  const tools = { weather: tool({ inputSchema: place, execute: async (given) => weather(given) }) };
  const stopWhen = isStepCount(3);
  return {
    text: async () => (await generateText({ model, prompt: HELLO, maxRetries: 0 })).text,
    async streamed() {
      let said = "";
      for await (const part of streamText({ model, prompt: HELLO, maxRetries: 0 }).textStream) said += part;
      return said;
    },
    tools: async () => (await generateText({ model, prompt: TOOL, tools, stopWhen, providerOptions, maxRetries: 0 })).text,
    async object() {
      const output = Output.object({ schema: place });
      return (await generateText({ model, prompt: OBJECT, output, maxRetries: 0 })).output.city;
    },
  };
};
flavours["vercel-chat"] = vercel((name) => createOpenAI({ baseURL: `${root}/v1`, apiKey }).chat(name));
flavours["vercel-responses"] = vercel((name) => createOpenAI({ baseURL: `${root}/v1`, apiKey }).responses(name));
flavours["vercel-messages"] = vercel((name) => createAnthropic({ baseURL: `${root}/v1`, apiKey })(name));
flavours["vercel-gemini"] = vercel((name) => createGoogleGenerativeAI({ baseURL: `${root}/v1beta`, apiKey })(name));

const told = {};
const words = process.argv.slice(2);
for (let at = 0; at < words.length; at += 2) {
  const [flavour, model] = words.slice(at, at + 2);
  const found = (told[`${flavour} ${model}`] = {});
  for (const [name, act] of Object.entries(flavours[flavour](model))) {
    try {
      found[name] = await act();
    } catch (error) {
      throw new Error(`${flavour} ${model} ${name}: ${error.stack ?? error}`);
    }
  }
}
console.log(JSON.stringify(told));
