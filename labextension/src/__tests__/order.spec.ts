import { IOrder, specsOf } from '../order';
import { words } from './views';

const order = (changes: Partial<IOrder>): IOrder => ({
  urls: 'https://host/a.nc',
  folder: '',
  checksum: '',
  begin: '',
  session: 'downloads',
  ...changes
});
const specs = (changes: Partial<IOrder>) => specsOf(order(changes), '/home/me', words.trans);

test('each line is a task of no kernel, in the folder', () =>
  expect(specs({ urls: ' https://host/a.nc \n\nhttp://host/b.nc\n', folder: 'data/raw' })).toEqual([
    { request: { url: 'https://host/a.nc' }, destination: '/home/me/data/raw/', unattended: true },
    { request: { url: 'http://host/b.nc' }, destination: '/home/me/data/raw/', unattended: true }
  ]));

test('the top folder needs no name', () =>
  expect(specs({ folder: '/' })[0].destination).toBe('/home/me/'));

test('the time to begin is local', () =>
  expect(specs({ begin: '2030-01-02T03:04' })[0].earliest_begin_date).toBe(
    new Date(2030, 0, 2, 3, 4).getTime() / 1000
  ));

test.each([
  [{ urls: ' \n' }, 'Give at least one address.'],
  [{ urls: 'https://host/a\nhost/b' }, 'Line 2 is no http or https address.'],
  [{ urls: 'ftp://host/a' }, 'Line 1 is no http or https address.'],
  [
    { urls: 'https://host/a\nhttps://host/b', checksum: 'sha256:00' },
    'A checksum is that of a single file; there are 2.'
  ]
])('%j is refused', (changes, message) => expect(() => specs(changes)).toThrow(message));
