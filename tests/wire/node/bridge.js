// Calls any method of one version of rsmq. A JSON line {method, options, realtime} over TCP is answered with
// {result} or {name, text}. An option {"js": "source"} has the value of that source.
const net = require("net");
const readline = require("readline");
const RedisSMQ = require(process.argv[2]);

const settings = { host: "127.0.0.1", port: Number(process.env.REDIS_PORT), ns: process.env.RSMQ_NS };
const quiet = new RedisSMQ({ ...settings });
const loud = new RedisSMQ({ ...settings, realtime: true });
const heard = [];

const own = {
  // Subscribes to a channel; answers when Redis has confirmed the subscription.
  listen({ channel }, answer) {
    const subscriber = quiet.redis.duplicate();
    subscriber.on("message", (_, text) => heard.push(text));
    subscriber.subscribe(channel, answer);
  },
  // The messages received so far.
  heard(_, answer) {
    answer(null, heard);
  },
  // Sends `count` messages, one after the other.
  async produce({ qname, count, delay }, answer) {
    const ids = [];
    for (let number = 0; number < count; number++) {
      ids.push(await quiet.sendMessageAsync({ qname, message: `node ${number}`, delay }));
    }
    answer(null, ids);
  },
  // Receives and deletes until the queue is empty.
  async consume({ qname }, answer) {
    const taken = [];
    for (;;) {
      const received = await quiet.receiveMessageAsync({ qname });
      if (received.id) {
        taken.push([received.id, received.rc]);
        await quiet.deleteMessageAsync({ qname, id: received.id });
      } else if ((await quiet.getQueueAttributesAsync({ qname })).msgs === 0) {
        return answer(null, taken);
      } else {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  },
};

function call({ method, options, realtime }, answer) {
  for (const [name, value] of Object.entries(options)) {
    if (value !== null && typeof value === "object" && "js" in value) options[name] = eval(`(${value.js})`);
  }
  const rsmq = realtime ? loud : quiet;
  if (own[method]) own[method](options, answer);
  else if (method === "listQueues") rsmq.listQueues(answer);
  else rsmq[method](options, answer);
}

const server = net.createServer((socket) => {
  socket.setNoDelay(true);
  const said = (error, result) => (error ? { name: error.name, text: error.message } : { result });
  readline.createInterface({ input: socket }).on("line", (line) => {
    call(JSON.parse(line), (error, result) => socket.write(`${JSON.stringify(said(error, result))}\n`));
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
