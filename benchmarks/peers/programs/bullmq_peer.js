// BullMQ, tuned: one process, a hundred jobs at once, finished ones removed. The verbs are those of common.py.
const fs = require("fs");
const { setTimeout: sleep } = require("timers/promises");
const { createRequire } = require("module");
const { Queue, Worker } = createRequire(process.env.PEER_MODULES + "/")("bullmq");

const url = new URL(process.env.PEER_REDIS_URL);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const stamps = fs.openSync(process.env.PEER_STAMPS, "a");
const options = { removeOnComplete: true, removeOnFail: true };
const BATCH = 1000;

const body = (number) => String(number).padStart(100, "0");
const now = () => process.hrtime.bigint();
const job = (name, number) => ({ name, data: { text: body(number) }, opts: options });

async function run({ name, data }) {
  if (name === "nap") await sleep(50);
  fs.writeSync(stamps, `${data.text.slice(-8)} ${String(now()).padStart(20, "0")}\n`);
}

async function sendAll(queue, name, count) {
  for (let start = 0; start < count; start += BATCH) {
    const length = Math.min(BATCH, count - start);
    await queue.addBulk(Array.from({ length }, (_, index) => job(name, start + index)));
  }
}

async function rate(queue, how, count) {
  for (let number = 0; number < 100; number++) await queue.add("noop", { text: body(number) }, options);
  const started = now();
  if (how === "bulk") await sendAll(queue, "noop", count);
  else for (let number = 0; number < count; number++) await queue.add("noop", { text: body(number) }, options);
  console.log(Number(now() - started) / 1e9);
}

async function pace(queue, count, seconds) {
  const sent = [];
  const start = now();
  for (let number = 0; number < count; number++) {
    const wait = Number(start - now()) / 1e6 + number * seconds * 1e3;
    if (wait > 0) await sleep(wait);
    sent.push(now());
    await queue.add("noop", { text: body(number) }, options);
  }
  console.log(sent.join(" "));
}

async function main() {
  const [verb, ...args] = process.argv.slice(2);
  if (verb === "work") {
    new Worker("bench", run, { connection, concurrency: Number(args[1]) });
    return;
  }
  const queue = new Queue("bench", { connection });
  if (verb === "fill") await sendAll(queue, args[0], Number(args[1]));
  if (verb === "rate") await rate(queue, args[0], Number(args[1]));
  if (verb === "pace") await pace(queue, Number(args[0]), Number(args[1]));
  await queue.close();
  process.exit(0);
}

main();
