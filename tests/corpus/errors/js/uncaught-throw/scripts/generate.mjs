import { routes } from "./routes.mjs";

for (const route of routes(undefined)) {
  console.log(route);
}
