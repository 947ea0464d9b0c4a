// Calls any method of one version of rsmq: POST [method, options] as JSON, {result} or {name, text} comes back.
const http = require("http");
const RedisSMQ = require(process.argv[2]);

const rsmq = new RedisSMQ({ host: "127.0.0.1", port: Number(process.env.REDIS_PORT), ns: "rsmq" });

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const [method, options] = JSON.parse(Buffer.concat(parts).toString());
    const answer = (error, result) =>
      response.end(JSON.stringify(error ? { name: error.name, text: error.message } : { result }));
    if (method === "listQueues") rsmq.listQueues(answer);
    else rsmq[method](options, answer);
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
