const Checker = require("fork-ts-checker-webpack-plugin");

module.exports = {
  entry: "./src/index.ts",
  module: { rules: [{ test: /\.ts$/, loader: "ts-loader", options: { transpileOnly: true } }] },
  resolve: { extensions: [".ts", ".js"] },
  plugins: [new Checker()],
};
