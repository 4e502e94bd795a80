// Electron's main process for a test: the example itself (its folder is the last argument), and a hand that asks in its window.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { app } from "electron";

app.setPath("userData", join(process.argv.at(-1), "user-data")); // so that an instance of the example does not count
const utilities = () =>
  app.getAppMetrics().filter(({ serviceName, name }) => [serviceName, name].includes("thinktree"));

app.once("browser-window-created", (_, { webContents }) => {
  webContents.once("did-finish-load", async () => {
    const seen = await webContents.executeJavaScript(`new Promise((resolve) => {
      let rounds = 0;
      window.thinktree.onProgress(() => rounds++);
      document.getElementById("ask").click();
      const look = () => {
        const text = (id) => document.getElementById(id).textContent;
        if (document.getElementById("ask").disabled) return setTimeout(look, 50);
        resolve({
          ...{ rounds, answer: text("answer"), problem: text("problem"), steps: document.querySelectorAll("#steps li").length },
          node: [typeof require, typeof process],
        });
      };
      look();
    })`);
    console.log(`SEEN ${JSON.stringify({ ...seen, utilities: utilities().length })}`);
    app.quit();
  });
});

await import(pathToFileURL(join(process.argv.at(-1), "dist", "main.js")).href);
