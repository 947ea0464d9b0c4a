// The page of the article: each POST /job sends one message to the queue.
const http = require("http");
const RedisSMQ = require("rsmq-0.11");

const rsmq = new RedisSMQ({ host: "127.0.0.1", port: Number(process.env.REDIS_PORT), ns: "rsmq" });

rsmq.createQueue({ qname: "testqueue" }, (error) => {
  if (error && error.name !== "queueExists") throw error;
  const server = http.createServer((request, response) => {
    const message = `Hello World at ${new Date().toISOString()}`;
    rsmq.sendMessage({ qname: "testqueue", message }, (failure, id) => {
      response.statusCode = failure ? 500 : 202;
      response.end(failure ? failure.message : id);
    });
  });
  server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
});
