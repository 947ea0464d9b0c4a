// The worker of the article: polls the queue, prints each message, deletes it.
const RedisSMQ = require("rsmq-0.11");

const rsmq = new RedisSMQ({ host: "127.0.0.1", port: Number(process.env.REDIS_PORT), ns: "rsmq" });

function poll() {
  rsmq.receiveMessage({ qname: "testqueue" }, (error, received) => {
    if (error || !received.id) return setTimeout(poll, 50);
    console.log(`received ${received.id} ${received.message}`);
    rsmq.deleteMessage({ qname: "testqueue", id: received.id }, (failure, deleted) => {
      console.log(`deleted ${received.id} ${failure ? failure.name : deleted}`);
      poll();
    });
  });
}

console.log("polling");
poll();
