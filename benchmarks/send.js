// Creates a queue and sends <count> messages of <length> characters to it, a hundred at a time.
// node send.js <package> <port> <queue> <count> <length>, started in a folder with node_modules
const path = require("path");
const [name, port, qname, count, length] = process.argv.slice(2);
const RedisSMQ = require(path.resolve("node_modules", name));

async function main() {
  const rsmq = new RedisSMQ({ host: "127.0.0.1", port: Number(port) });
  await rsmq.createQueueAsync({ qname });
  for (let left = Number(count); left > 0; left -= 100) {
    const sending = Array.from({ length: Math.min(100, left) }, () =>
      rsmq.sendMessageAsync({ qname, message: "x".repeat(Number(length)) })
    );
    await Promise.all(sending);
  }
  rsmq.quit();
}

main();
