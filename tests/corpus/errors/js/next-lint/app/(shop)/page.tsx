"use client";

import { useEffect, useState } from "react";

export default function Page() {
  const [open, setOpen] = useState(false);
  if (open) {
    useEffect(() => setOpen(false));
  }
  return <main>It's here</main>;
}
