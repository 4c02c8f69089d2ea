/** What other extensions can ask for: the page's transfers. */

import { Token } from '@lumino/coreutils';

import { IHost } from './host';

export type ITransferSessions = IHost;

export const ITransferSessions = new Token<ITransferSessions>(
  'jupyter-bgdl:ITransferSessions',
  'The background transfers of this server: the newest state of sessions and tasks.'
);
