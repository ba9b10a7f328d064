// Parses openapi/events.asyncapi.json with the parser of AsyncAPI; what it calls an error ends this with 1.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(process.argv[2] + "/");
const { Parser } = require("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync("openapi/events.asyncapi.json", "utf8"));
const errors = diagnostics.filter((one) => one.severity === 0);
for (const one of diagnostics) console.log(`${["error", "warning", "information", "hint"][one.severity]}: ${one.path.join(".")}: ${one.message}`);
console.log(`asyncapi: ${document?.allChannels().length ?? 0} channel, ${document?.allMessages().length ?? 0} messages, ${errors.length} errors`);
process.exit(errors.length || !document ? 1 : 0);
