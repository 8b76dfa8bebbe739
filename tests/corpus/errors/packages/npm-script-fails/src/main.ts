const port: number = "80";
