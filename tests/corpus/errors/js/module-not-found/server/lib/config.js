module.exports = require("./settings/default");
