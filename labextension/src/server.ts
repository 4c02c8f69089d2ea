/** The REST interface and the channel's address, through JupyterLab's connection settings. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { IServer, ServerError, SessionVerb, TaskVerb } from './store';
import {
  IExplanation,
  IFailure,
  ILaunchCell,
  ILogLine,
  ILogPage,
  IServerInfo,
  ISessionView,
  ISpec,
  ITaskPage,
  ITaskView,
  IUsageReport
} from './wire';

const PAGE = 500;

export class Server implements IServer {
  constructor(private _settings = ServerConnection.makeSettings()) {}

  open(): WebSocket {
    const { wsUrl, token, appendToken, WebSocket } = this._settings;
    const query = appendToken && token ? `?token=${encodeURIComponent(token)}` : '';
    return new WebSocket(URLExt.join(wsUrl, 'bgdl', 'channel') + query);
  }

  async info(): Promise<IServerInfo> {
    const limit = AbortSignal.timeout(10_000);
    const url = URLExt.join(this._settings.baseUrl, 'bgdl');
    const response = await ServerConnection.makeRequest(url, { signal: limit }, this._settings);
    if (!response.ok) {
      throw new ServerError(await failure(response));
    }
    return (await response.json()) as IServerInfo;
  }

  async act(session: string, number: number, verb: TaskVerb): Promise<ITaskView> {
    const response = await this._request('POST', session, 'tasks', String(number), verb);
    return (await response.json()) as ITaskView;
  }

  async remove(session: string, number: number): Promise<void> {
    await this._request('DELETE', session, 'tasks', String(number));
  }

  async task(session: string, number: number): Promise<ITaskView | null> {
    try {
      const response = await this._request('GET', session, 'tasks', String(number));
      return (await response.json()) as ITaskView;
    } catch (error) {
      if (error instanceof ServerError && error.view.code === 'not_found') {
        return null;
      }
      throw error;
    }
  }

  async explain(session: string, number: number): Promise<IExplanation> {
    const response = await this._request('GET', session, 'tasks', String(number), 'explain');
    return (await response.json()) as IExplanation;
  }

  async *tasks(session: string, completed: boolean | null): AsyncGenerator<ITaskView[]> {
    let after: number | null = 0;
    while (after !== null) {
      const only = completed === null ? '' : `completed=${completed}&`;
      const query = `tasks?${only}limit=${PAGE}&after=${after}`;
      const page = (await (await this._request('GET', session, query)).json()) as ITaskPage;
      yield page.tasks;
      after = page.next;
    }
  }

  async log(session: string, after: number): Promise<ILogLine[]> {
    const response = await this._request('GET', session, `log?after=${after}`);
    return ((await response.json()) as ILogPage).lines;
  }

  async runLaunchCell(session: string): Promise<void> {
    await this._request('POST', session, 'launch', 'run');
  }

  async launchCell(session: string): Promise<ILaunchCell> {
    const response = await this._request('GET', session, 'launch');
    return (await response.json()) as ILaunchCell;
  }

  async switchLaunch(session: string, enabled: boolean): Promise<void> {
    await this._call('POST', this._address(session, 'launch', 'switch'), { enabled });
  }

  async actOnAll(session: string, verb: SessionVerb): Promise<ISessionView> {
    const response = await this._request('POST', session, verb);
    return (await response.json()) as ISessionView;
  }

  async submit(session: string, specs: ISpec[]): Promise<void> {
    await this._call('POST', this._address(session, 'tasks'), { tasks: specs });
  }

  async usage(): Promise<IUsageReport> {
    const response = await this._call('GET', URLExt.join(this._settings.baseUrl, 'bgdl', 'usage'));
    return (await response.json()) as IUsageReport;
  }

  async cleanUp(): Promise<void> {
    await this._call('POST', URLExt.join(this._settings.baseUrl, 'bgdl', 'clean'), {});
  }

  private _address(session: string, ...rest: string[]): string {
    const base = URLExt.join(this._settings.baseUrl, 'bgdl', 'sessions');
    return [base, encodeURIComponent(session), ...rest].join('/');
  }

  private _request(method: string, session: string, ...rest: string[]): Promise<Response> {
    return this._call(method, this._address(session, ...rest));
  }

  private async _call(method: string, url: string, body?: object): Promise<Response> {
    const said = body && {
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' }
    };
    const response = await ServerConnection.makeRequest(url, { method, ...said }, this._settings);
    if (!response.ok) {
      throw new ServerError(await failure(response));
    }
    return response;
  }
}

/** What went wrong; a proxy in between may answer with something that is no failure of ours. */
async function failure(response: Response): Promise<IFailure['error']> {
  try {
    const { error } = (await response.json()) as IFailure;
    if (typeof error?.message === 'string') {
      return error;
    }
  } catch (error) {
    console.debug('jupyter-bgdl: the answer was no JSON', error);
  }
  return { code: 'error', message: `${response.status} ${response.statusText}` };
}
