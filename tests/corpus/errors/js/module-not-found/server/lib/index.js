"use strict";

const config = require("./config");
console.log(config.port);
