require("http").createServer((_, answer) => { answer.statusCode = 404; answer.end("{}"); }).listen(4873);
setTimeout(() => process.exit(0), 20000);
