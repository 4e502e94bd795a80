/**
 * The application: one window, which asks, and the engine in a utility process, which answers.
 *
 * Owns: windows, who may speak to whom, the end. Must not know: searches.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { app, BrowserWindow, ipcMain, session, type IpcMainEvent, type IpcMainInvokeEvent } from "electron";
import { Engine } from "thinktree";

import { Questions } from "./questions.js";

const page = fileURLToPath(new URL("../page/index.html", import.meta.url));
const preload = fileURLToPath(new URL("preload.cjs", import.meta.url));

/** llama.cpp opens model files itself, and cannot look into an asar: a packaged application has them beside it. */
function models() {
  if (!app.isPackaged) return {}; // the embedded ones
  const file = (name: string) => join(process.resourcesPath, "models", name);
  return { generator: file("tiny-generator.gguf"), verifier: file("tiny-strong.gguf") };
}

const questions = new Questions(() => Engine.load({ ...models(), isolation: "process" }));
let window: BrowserWindow | undefined;

function openWindow(): void {
  window = new BrowserWindow({
    ...{ width: 760, height: 820, autoHideMenuBar: true, title: "thinktree" },
    webPreferences: { preload, contextIsolation: true, sandbox: true, nodeIntegration: false },
  });
  window.on("closed", () => (window = undefined));
  void window.loadFile(page);
}

/** The page itself, and no frame that found its way into it. */
function isPage({ senderFrame }: IpcMainEvent | IpcMainInvokeEvent): boolean {
  return window !== undefined && senderFrame === window.webContents.mainFrame;
}

ipcMain.handle("ask", (event, question: unknown) => {
  if (!isPage(event) || typeof question !== "string") throw new Error("a question is text from the window");
  return questions.ask(question, (progress) => {
    if (!event.sender.isDestroyed()) event.sender.send("progress", progress);
  });
});
ipcMain.on("cancel", (event) => {
  if (isPage(event)) questions.cancel();
});

// Nothing leads out of the page.
app.on("web-contents-created", (_, contents) => {
  contents.on("will-navigate", (event) => event.preventDefault());
  contents.setWindowOpenHandler(() => ({ action: "deny" }));
});

app.on("window-all-closed", () => app.quit());

let closed = false;
app.on("will-quit", (event) => {
  if (closed) return;
  event.preventDefault();
  void questions.close().finally(() => {
    closed = true;
    app.quit();
  });
});

if (!app.requestSingleInstanceLock()) {
  app.quit();
} else {
  app.on("second-instance", () => {
    if (window?.isMinimized()) window.restore();
    window?.focus();
  });
  void app.whenReady().then(() => {
    session.defaultSession.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
    questions.warmUp(); // not before: a utility process needs a ready application
    openWindow();
  });
}
