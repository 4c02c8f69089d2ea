/**
 * The page's websocket: open while somebody watches, opened again with growing pauses when it is
 * lost, and honest about which of the two it is.
 */

import { ClientMessage, IServerInfo, ServerMessage } from './wire';

/** What the channel needs of the outside. */
export interface IEndpoint {
  /** Open a websocket to the server's channel. */
  open(): WebSocket;
  /** Ask the server who it is; rejects if it gives no sign of life. */
  info(): Promise<IServerInfo>;
}

export type ChannelStatus = 'idle' | 'connecting' | 'connected' | 'lost';

export interface IChannelListener {
  message(message: ServerMessage): void;
  statusChanged(): void;
}

/** What is watched, and by how many. */
interface IWatch {
  session: string | null;
  tasks: boolean;
  count: number;
}

const keyOf = (session: string | null, tasks: boolean): string => JSON.stringify([session, tasks]);

const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 30;
/** While bytes move, values arrive five times a second; silence this long is suspicious. */
const SILENCE = 10;

export class Channel {
  constructor(
    private _endpoint: IEndpoint,
    private _listener: IChannelListener
  ) {
    window.addEventListener('online', this._tryNow);
    window.addEventListener('offline', this._drop);
  }

  get status(): ChannelStatus {
    return this._status;
  }

  /** Milliseconds since the epoch at which it tries again; null unless it is lost. */
  get nextTry(): number | null {
    return this._nextTry;
  }

  /** Set while values are expected, so that silence means something. */
  expecting = false;

  /** Keep a session (null: all) up to date; `tasks`: with its tasks, not its counts alone. */
  watch(session: string | null, tasks: boolean): void {
    const key = keyOf(session, tasks);
    const watch = this._watches.get(key) ?? { session, tasks, count: 0 };
    watch.count += 1;
    this._watches.set(key, watch);
    if (this._status === 'idle') {
      this._connect();
    } else if (watch.count === 1 || this._unknown.has(key)) {
      this._ask(watch);
    }
  }

  unwatch(session: string | null, tasks: boolean): void {
    const key = keyOf(session, tasks);
    const watch = this._watches.get(key);
    if (!watch) {
      return;
    }
    watch.count -= 1;
    if (watch.count > 0) {
      return;
    }
    this._watches.delete(key);
    this._unknown.delete(key);
    this._send({ type: 'unwatch', session, tasks });
    if (this._watches.size === 0) {
      this._rest();
    }
  }

  watches(session: string | null, tasks: boolean): boolean {
    return this._watches.has(keyOf(session, tasks));
  }

  /** Try now instead of at `nextTry`. */
  tryNow(): void {
    this._tryNow();
  }

  dispose(): void {
    window.removeEventListener('online', this._tryNow);
    window.removeEventListener('offline', this._drop);
    this._watches.clear();
    this._rest();
  }

  private _connect(): void {
    window.clearTimeout(this._timer);
    this._nextTry = null;
    this._setStatus(this._status === 'lost' ? 'lost' : 'connecting');
    this._asked = [];
    this._unknown.clear();
    const socket = this._endpoint.open();
    this._socket = socket;
    socket.onopen = () => {
      this._send({ type: 'hello', incarnation: null });
      for (const watch of this._watches.values()) {
        this._ask(watch);
      }
    };
    socket.onmessage = event => {
      if (socket === this._socket) {
        this._received(this._understood(JSON.parse(String(event.data)) as ServerMessage));
      }
    };
    socket.onclose = () => {
      if (socket === this._socket) {
        this._lost();
      }
    };
  }

  private _ask(watch: IWatch): void {
    const { session, tasks } = watch;
    if (this._send({ type: 'watch', session, tasks })) {
      this._asked.push(watch);
      this._unknown.delete(keyOf(session, tasks));
    }
  }

  /**
   * The server answers in the order in which it was asked. That a session does not exist is said
   * without its name, and means the same as an empty snapshot of it.
   */
  private _understood(message: ServerMessage): ServerMessage {
    if (message.type === 'snapshot') {
      this._asked.shift();
    } else if (message.type === 'refused' && message.code === 'not_found') {
      const watch = this._asked.shift();
      if (watch) {
        const { session, tasks } = watch;
        this._unknown.add(keyOf(session, tasks));
        return { type: 'snapshot', watch: session, sessions: [], tasks: [] };
      }
    }
    return message;
  }

  private _received(message: ServerMessage): void {
    this._heard = Date.now();
    if (message.type === 'snapshot' && this._status !== 'connected') {
      this._pause = FIRST_PAUSE;
      this._listen();
      this._setStatus('connected');
    }
    this._listener.message(message);
  }

  private _lost(): void {
    this._socket = null;
    window.clearInterval(this._silence);
    const pause = this._pause * (0.75 + Math.random() / 2) * 1000;
    this._pause = Math.min(LONGEST_PAUSE, this._pause * 2);
    this._nextTry = Date.now() + pause;
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => this._connect(), pause);
    this._setStatus('lost');
  }

  /** Nobody watches: no socket, no timers. */
  private _rest(): void {
    window.clearTimeout(this._timer);
    window.clearInterval(this._silence);
    const socket = this._socket;
    this._socket = null;
    this._nextTry = null;
    this._pause = FIRST_PAUSE;
    socket?.close();
    this._setStatus('idle');
  }

  /** A socket can die without a word (a laptop that slept): doubt it when it falls silent. */
  private _listen(): void {
    window.clearInterval(this._silence);
    this._silence = window.setInterval(() => {
      if (this.expecting && Date.now() - this._heard > SILENCE * 1000) {
        this._heard = Date.now();
        this._endpoint.info().catch(this._drop);
      }
    }, 1000);
  }

  /** Returns false while there is no open socket; what is watched is said again when there is. */
  private _send(message: ClientMessage): boolean {
    if (this._socket?.readyState !== WebSocket.OPEN) {
      return false;
    }
    this._socket.send(JSON.stringify(message));
    return true;
  }

  private _setStatus(status: ChannelStatus): void {
    this._status = status;
    this._listener.statusChanged();
  }

  private _tryNow = (): void => {
    if (this._status === 'lost' && !this._socket) {
      this._pause = FIRST_PAUSE;
      this._connect();
    }
  };

  private _drop = (): void => {
    const socket = this._socket;
    if (socket) {
      this._lost();
      socket.close();
    }
  };

  private _watches = new Map<string, IWatch>();
  /** Watches that the server has not answered yet. */
  private _asked: IWatch[] = [];
  /** Watched sessions that the server does not know; it does not watch them for us. */
  private _unknown = new Set<string>();
  private _socket: WebSocket | null = null;
  private _status: ChannelStatus = 'idle';
  private _pause = FIRST_PAUSE;
  private _nextTry: number | null = null;
  private _timer = 0;
  private _silence = 0;
  private _heard = 0;
}
