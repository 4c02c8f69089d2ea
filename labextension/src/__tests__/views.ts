/** Views to start from, and the words that the tests speak. */

import { ISessionView, ITaskView } from '../wire';
import { ITexts, Words } from '../words';

function fill(text: string, args: unknown[]): string {
  return text.replace(/%(\d)/g, (_, index: string) => String(args[Number(index) - 1]));
}

const trans: ITexts = {
  __: (text, ...args) => fill(text, args),
  _n: (one, many, n, ...args) => fill(n === 1 ? one : many, args)
};

export const words = new Words(trans);

export function aTask(changes: Partial<ITaskView> = {}): ITaskView {
  return {
    session: 'era5',
    task_identifier: 1,
    kind: 'download',
    generation: 1,
    revision: 1,
    state: 'running',
    phase: 'running',
    waiting_for: null,
    until: null,
    reason: '',
    name: 'era5_t2m_2023.nc',
    host: 'cds.example.org',
    url: 'https://cds.example.org/era5_t2m_2023.nc',
    method: 'GET',
    description: '',
    priority: 0.5,
    earliest_begin_date: null,
    count_of_bytes_client_expects_to_send: null,
    count_of_bytes_client_expects_to_receive: null,
    destination: '/home/me/data/',
    path: null,
    received: 3.2e9,
    total: 12.4e9,
    resumed_at: null,
    rate: 48e6,
    attempts: 1,
    checksum: null,
    verified: false,
    verify: true,
    length_unverified: false,
    challenge: null,
    error: null,
    response: null,
    created_at: 1000,
    completed_at: null,
    ...changes
  };
}

export function aDoneTask(changes: Partial<ITaskView> = {}): ITaskView {
  return aTask({
    state: 'completed',
    phase: 'completed',
    received: 12.4e9,
    completed_at: 2000,
    path: '/home/me/data/era5_t2m_2023.nc',
    ...changes
  });
}

export function aSession(changes: Partial<ISessionView> = {}): ISessionView {
  return {
    identifier: 'era5',
    revision: 1,
    owner: { name: 'analysis.ipynb', kernel_id: 'k', notebook: '/home/me/analysis.ipynb' },
    counts: { suspended: 0, waiting: 0, running: 1, done: 0, failed: 0, cancelled: 0 },
    received: 3.2e9,
    total: 12.4e9,
    total_is_known: true,
    rate: 48e6,
    undelivered: 0,
    parked: 0,
    launch: null,
    created_at: 1000,
    ...changes
  };
}
