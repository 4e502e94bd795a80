/**
 * In the place of Electron: its main process and one window's preload script, both in this process of Node's.
 *
 * Owns: what the example uses of Electron's interface, and no more. Must not know: the example.
 */
const { fork } = require("node:child_process");
const { EventEmitter } = require("node:events");
const { join } = require("node:path");

process.type = "browser";
Object.defineProperty(process, "versions", { value: { ...process.versions, electron: "stand-in" } });

const app = new EventEmitter();
app.isPackaged = process.env.STAND_IN_RESOURCES !== undefined;
process.resourcesPath = process.env.STAND_IN_RESOURCES;
app.whenReady = async () => undefined;
app.requestSingleInstanceLock = () => process.env.STAND_IN_SECOND !== "1";
app.quit = () => {
  if (!prevented(app, "will-quit")) process.exit(0);
};

function prevented(emitter, event, ...values) {
  let stopped = false;
  emitter.emit(event, { preventDefault: () => (stopped = true) }, ...values);
  return stopped;
}

class WebContents extends EventEmitter {
  mainFrame = {};
  isDestroyed = () => false;
  send(channel, value) {
    ipcRenderer.emit(channel, {}, structuredClone(value));
  }
  setWindowOpenHandler(handler) {
    this.opens = handler;
  }
  /** Whether it gets there. */
  navigate(url) {
    return !prevented(this, "will-navigate", url);
  }
}

class BrowserWindow extends EventEmitter {
  static all = [];
  webContents = new WebContents();
  constructor(options) {
    super();
    this.options = options;
    BrowserWindow.all.push(this);
    app.emit("web-contents-created", {}, this.webContents);
  }
  async loadFile(file) {
    this.file = file;
  }
}

const handlers = new Map();
const ipcMain = Object.assign(new EventEmitter(), { handle: (channel, handler) => handlers.set(channel, handler) });

const fromPage = () => {
  const sender = BrowserWindow.all[0].webContents;
  return { sender, senderFrame: sender.mainFrame };
};
const ipcRenderer = Object.assign(new EventEmitter(), {
  /** `event`: who asks, if not the page. */
  invoke: async (channel, value, event = fromPage()) =>
    structuredClone(await handlers.get(channel)(event, structuredClone(value))),
  send: (channel) => ipcMain.emit(channel, fromPage()),
});

const utilityProcess = {
  children: [],
  fork(module, args, { stdio, execArgv, serviceName }) {
    if (stdio !== "pipe" || serviceName === undefined) throw new Error("it is forked otherwise than documented");
    const preset = ["--require", join(__dirname, "parent-port.cjs")];
    const options = {
      execArgv: [...execArgv, ...preset],
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    };
    const child = fork(module, args, options);
    child.postMessage = (message) => child.send(message, () => undefined);
    utilityProcess.children.push(child);
    return child;
  },
};

exports.app = app;
exports.BrowserWindow = BrowserWindow;
exports.ipcMain = ipcMain;
exports.ipcRenderer = ipcRenderer;
exports.utilityProcess = utilityProcess;
exports.session = { defaultSession: { setPermissionRequestHandler: (handler) => (exports.session.asks = handler) } };
exports.contextBridge = { exposeInMainWorld: (name, api) => (globalThis[name] = api) };
