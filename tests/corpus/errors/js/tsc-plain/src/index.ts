import { total } from "./price";

const sum: number = total(["1", "2"]);
console.log(sum.toFixd(2));
