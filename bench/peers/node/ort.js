// ONNX Runtime's attention as a child of bench/peers. The one argument is a JSON file:
// {model, threads, inputs: [{name, type, dims, file | values}], outputs: [{name, type,
// dims, share}]}. It lies beside node_modules, where require looks. The first line out is
// "ready WHAT" or "error WHY". After it, each "run" on standard input computes once and
// answers "ran NANOSECONDS SUM", SUM being that of the magnitudes of the first output,
// and "output" answers "output COUNT TYPE" and the first output's bytes.
"use strict";

const fs = require("fs");
const readline = require("readline");

const arrays = { float32: Float32Array, float16: Uint16Array, int32: Int32Array };

const say = (text) => process.stdout.write(text + "\n");

function fail(e) {
  say("error " + String((e && e.message) || e).replace(/\s+/g, " "));
  process.exitCode = 1;
  process.stdin.destroy();
}

// tensor makes an input of a file's bytes or of a few values.
function tensor(ort, x) {
  const array = arrays[x.type];
  if (x.values) return new ort.Tensor(x.type, array.from(x.values), x.dims);
  const bytes = fs.readFileSync(x.file);
  const data = new array(bytes.length / array.BYTES_PER_ELEMENT);
  new Uint8Array(data.buffer).set(bytes);
  return new ort.Tensor(x.type, data, x.dims);
}

// magnitude returns |x| of an element as it is stored.
function magnitude(type) {
  if (type === "float32") return Math.abs;
  const table = new Float32Array(1 << 15);
  for (let bits = 0; bits < table.length; bits++) {
    const exponent = bits >> 10;
    const fraction = bits & 0x3ff;
    if (exponent === 31) table[bits] = fraction ? NaN : Infinity;
    else table[bits] = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  }
  return (bits) => table[bits & 0x7fff];
}

async function open(job) {
  const ort = require("onnxruntime-node");
  const session = await ort.InferenceSession.create(job.model, {
    executionProviders: ["cpu"],
    intraOpNumThreads: job.threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    logSeverityLevel: 4,
  });
  const feeds = {};
  for (const x of job.inputs) feeds[x.name] = tensor(ort, x);
  // Outputs are given, so that no call pays for fresh memory; one may share an input's,
  // as the cache of a decode loop does.
  const fetches = {};
  for (const x of job.outputs) {
    const size = x.dims.reduce((a, b) => a * b, 1);
    fetches[x.name] = x.share ? feeds[x.share] : new ort.Tensor(x.type, new arrays[x.type](size), x.dims);
  }
  const version = require("onnxruntime-common").env.versions.node || require("onnxruntime-node/package.json").version;
  say(`ready ONNX Runtime ${version}`);
  return { session, feeds, fetches };
}

async function main() {
  const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
  const { session, feeds, fetches } = await open(job);
  const { name, type } = job.outputs[0];
  const data = fetches[name].data;
  const size = magnitude(type);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === "run") {
      data.fill(type === "float16" ? 0x7fff : NaN); // what is not written shows
      const start = process.hrtime.bigint();
      await session.run(feeds, fetches);
      const took = process.hrtime.bigint() - start;
      let sum = 0;
      for (let i = 0; i < data.length; i++) sum += size(data[i]);
      say(`ran ${took} ${sum}`);
    } else if (line === "output") {
      say(`output ${data.length} ${type === "float16" ? "f16" : "f32"}`);
      process.stdout.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    } else {
      throw new Error("unknown request " + line);
    }
  }
}

main().catch(fail);
