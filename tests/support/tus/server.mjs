// The reference tus server: node server.mjs FOLDER PORT (0: any free one).
import { mkdirSync } from 'node:fs';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const [folder, port] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const server = new Server({
  path: '/files',
  datastore: new FileStore({ directory: folder }),
  respectForwardedHeaders: false
});
const listener = server.listen({ host: 'localhost', port: Number(port) }, () => {
  console.log(`listening on ${listener.address().port}`);
});
