// The layer rules that are not TypeScript imports, as patterns that may not occur.
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { root, sources } from "./files.mjs";

const rules = [
  {
    what: "native/ may not know Node",
    in: "native",
    outside: "",
    pattern: /#include\s*[<"](napi|node_api|node|v8|uv)\.h/,
  },
  {
    what: "only native/backend/llama may know llama.cpp",
    in: "native",
    outside: "native/backend/llama/",
    pattern: /#include\s*[<"](llama|ggml)/,
  },
  {
    what: "only lib/engine may load the addon",
    in: "lib",
    outside: "lib/engine/",
    pattern: /\.node\b["'`]|process\.dlopen/,
  },
];

const broken = rules.flatMap((rule) =>
  sources([rule.in], [".h", ".cpp", ".ts"])
    .map((file) => relative(root, file))
    .filter((file) => !(rule.outside && file.startsWith(rule.outside)) && rule.pattern.test(readFileSync(file, "utf8")))
    .map((file) => `${file}: ${rule.what}`),
);
if (broken.length > 0) console.error(broken.join("\n"));
process.exit(broken.length > 0 ? 1 : 0);
