// Runs every golden case through onnxruntime-web and prints how far each output is off, as JSON.
// Usage: node golden.mjs FOLDER, FOLDER holding golden.json and the .onnx files.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-web";

const DATA = { float64: Float64Array, int64: BigInt64Array };

const folder = process.argv[2];
const { arrays, cases } = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8"));

function tensor({ dtype, shape, values }) {
  const data = dtype === "int64" ? values.map(BigInt) : values;
  return new ort.Tensor(dtype, DATA[dtype].from(data), shape);
}

function largestDifference(found, golden) {
  if (found === undefined || found.dims.join() !== golden.shape.join()) return Infinity;
  let largest = 0;
  golden.values.forEach((value, place) => {
    const difference = Math.abs(Number(found.data[place]) - value);
    // Written so that NaN is the largest.
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  });
  return largest;
}

ort.env.wasm.numThreads = 1;
const artifacts = {};
for (const [artifact, { inputs, outputs }] of Object.entries(cases)) {
  try {
    const session = await ort.InferenceSession.create(
      readFileSync(join(folder, `${artifact}.onnx`)),
      { executionProviders: ["wasm"], graphOptimizationLevel: "disabled" },
    );
    const given = Object.fromEntries(
      Object.entries(inputs).map(([name, key]) => [name, tensor(arrays[key])]),
    );
    const found = await session.run(given);
    artifacts[artifact] = Object.fromEntries(
      Object.entries(outputs).map(([name, { array, tolerance }]) => {
        const difference = largestDifference(found[name], arrays[array]);
        return [name, { difference: Number.isFinite(difference) ? difference : null, tolerance }];
      }),
    );
    await session.release();
  } catch (error) {
    artifacts[artifact] = { error: String(error.message ?? error).split("\n")[0] };
  }
}
const versions = { node: process.versions.node, "onnxruntime-web": ort.env.versions.web };
console.log(JSON.stringify({ versions, artifacts }));
