import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte(), svelteTesting()],
  // Relative addresses, so that any host may serve the folder.
  base: "./",
  build: {
    target: ["safari17.5", "chrome123"],
    outDir: "dist",
    // The polyfill is for browsers older than the ones above.
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", port: 1420, strictPort: true },
  test: { environment: "happy-dom", include: ["src/**/*.test.ts"] },
});
