/** What a person orders in *New download…*, checked before the server is asked. */

import { ISpec } from './wire';
import { ITexts } from './words';

/** As it stands in the fields. */
export interface IOrder {
  /** One a line. */
  urls: string;
  /** Relative to the folder that the file browser shows. */
  folder: string;
  /** `sha256:…`; of a single URL. */
  checksum: string;
  /** Local time, as `datetime-local` writes it; empty: at once. */
  begin: string;
  session: string;
}

/** The URLs, without empty lines. */
export function linesOf({ urls }: IOrder): string[] {
  return urls
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '');
}

/**
 * What to hand in; the tasks belong to no kernel, so that nobody has to hear of them. Throws an
 * Error that says in which line, or field, what is wrong.
 */
export function specsOf(order: IOrder, root: string, trans: ITexts): ISpec[] {
  const urls = linesOf(order);
  if (urls.length === 0) {
    throw new Error(trans.__('Give at least one address.'));
  }
  urls.forEach((url, index) => {
    if (!isFetchable(url)) {
      throw new Error(trans.__('Line %1 is no http or https address.', index + 1));
    }
  });
  if (order.checksum.trim() && urls.length > 1) {
    throw new Error(trans.__('A checksum is that of a single file; there are %1.', urls.length));
  }
  const begin = order.begin ? new Date(order.begin).getTime() / 1000 : null;
  if (Number.isNaN(begin)) {
    throw new Error(trans.__('The time to begin is not complete.'));
  }
  const folder = order.folder.split('/').filter(Boolean);
  const destination = [root.replace(/\/+$/, ''), ...folder, ''].join('/');
  return urls.map(url => ({
    request: { url },
    destination,
    unattended: true,
    ...(order.checksum.trim() && { checksum: order.checksum.trim() }),
    ...(begin !== null && { earliest_begin_date: begin })
  }));
}

function isFetchable(url: string): boolean {
  try {
    return ['http:', 'https:'].includes(new URL(url).protocol);
  } catch {
    return false;
  }
}
