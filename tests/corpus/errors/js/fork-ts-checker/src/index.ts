import { total } from "./price";

const count: number = "three";
console.log(total(2, count));
