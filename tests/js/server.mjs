// SPDX-License-Identifier: Apache-2.0
// server - an emulator and an httpd with the module, for one test file.
// BL_BUILD_DIR names the build to test; without it the source tree is taken.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const build = resolve(process.env.BL_BUILD_DIR || root);
const httpd = process.env.BL_HTTPD || '/usr/sbin/apache2';
const modules = process.env.BL_HTTPD_MODULES || '/usr/lib/apache2/modules';
const python = '/usr/bin/python3';

// Below the ports that the kernel gives to clients: nobody takes it meanwhile.
function freePort() {
  const first = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'ascii').split('\t')[0]);
  const port = first > 12000 ? 10000 + Math.floor(Math.random() * (first - 10000)) : 0;
  return new Promise((done) => {
    const probe = createServer();
    probe.on('error', () => done(freePort()));
    probe.listen(port, '127.0.0.1', () => {
      const chosen = probe.address().port;
      probe.close(() => done(chosen));
    });
  });
}

function answers(port) {
  return new Promise((done) => {
    const probe = createConnection(port, '127.0.0.1');
    probe.on('connect', () => { probe.destroy(); done(true); });
    probe.on('error', () => done(false));
  });
}

async function until(what, name, seconds = 120) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await what();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${name}: not within ${seconds} s`);
    await sleep(30);
  }
}

// The sanitizer that the module was built with has to be loaded before httpd.
function environment(dir) {
  const needed = execFileSync('ldd', [join(build, '.libs/mod_bailian_sse.so')], { encoding: 'utf8' });
  const library = /=> (\S*lib(?:clang_rt\.)?[at]san\S*)/.exec(needed)?.[1];
  const env = { ...process.env, LC_ALL: 'C.UTF-8' };
  if (library) {
    env.LD_PRELOAD = library;
    env.ASAN_OPTIONS = `detect_leaks=0:abort_on_error=1:log_path=${dir}/reports/report`;
    env.UBSAN_OPTIONS = `print_stacktrace=1:log_path=${dir}/reports/report`;
  }
  return env;
}

// Ends it, and waits until it has, also where it did already.
function stopped(child) {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done();
    child.on('exit', done);
    child.kill('SIGTERM');
  });
}

export async function startEmulator() {
  const child = spawn(python, [join(root, 'tests/emulator/bailian_emulator.py'), '--port', '0'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (text) => { said += text; });
  const url = await until(() => /^ready (\S+)/m.exec(said)?.[1], 'the emulator').catch(async (failure) => {
    await stopped(child);
    throw failure;
  });
  const control = async (method, path, body) => {
    const response = await fetch(`${url}/_emulator/${path}`, { method, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.text();
  };
  return {
    url,
    // What the next questions get.
    script: (...steps) => control('PUT', 'scenarios/current', { steps }),
    release: (barrier) => control('POST', `release/${barrier}`),
    reset: () => control('POST', 'reset'),
    stop: () => stopped(child),
  };
}

// Who may see the admin page: li, chen and wang, by one password.
const ADMIN_MODULES = ' auth_basic authn_file authz_user';
const adminLocation = (dir, lines) => `
<Location "/bailian-admin">
    SetHandler bailian-admin
    AuthType Basic
    AuthName admin
    AuthUserFile ${dir}/admins
    Require valid-user
    ${lines}
</Location>
<Location "/open-admin">
    SetHandler bailian-admin
</Location>
`;

function writeAdmins(dir, names = ['li', 'chen', 'wang']) {
  const hash = createHash('sha1').update('canary-password').digest('base64');
  writeFileSync(join(dir, 'admins'), names.map((name) => `${name}:{SHA}${hash}\n`).join(''));
}

const clientLocation = (extra) => `
<Location "/bailian">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianHeartbeat 1s
    BailianGapTimeout 20s
    ${extra}
</Location>`;

// admin: true, or lines of the Location of the admin page. location: in place
// of the clients' one.
function configuration(dir, port, { extra, admin, location }) {
  const names = `mpm_event authn_core authz_core authz_host reqtimeout${admin ? ADMIN_MODULES : ''}`.split(' ');
  const owner = process.getuid() === 0 ? 'User www-data\nGroup www-data' : '';
  return `
ServerRoot ${dir}
ServerName 127.0.0.1
DefaultRuntimeDir ${dir}/run
PidFile ${dir}/run/httpd.pid
ErrorLog ${dir}/error_log
CustomLog ${dir}/access_log "%m %U %>s %b"
LogLevel warn bailian_sse:info
${names.map((n) => `LoadModule ${n}_module ${modules}/mod_${n}.so`).join('\n')}
LoadModule bailian_sse_module ${build}/.libs/mod_bailian_sse.so
${owner}
Listen 127.0.0.1:${port}
StartServers 2
ServerLimit 8
ThreadsPerChild 16
MaxRequestWorkers 32
MinSpareThreads 1
MaxSpareThreads 32
BailianDatabase ${dir}/data/bailian.db
BailianMasterKey ${dir}/master.key
BailianAllowNetwork 127.0.0.0/8
BailianAllowPlainHttp 127.0.0.1
${location || clientLocation(extra)}
<Location "/nopage">
    SetHandler bailian-sse
    BailianChatPage off
</Location>
${admin ? adminLocation(dir, admin === true ? '' : admin) : ''}`;
}

function fillCatalog(dir, emulator) {
  // Input only for what reads it: writing to a program that has ended fails.
  const run = (args, input) => execFileSync(join(build, 'bailianctl'),
    ['--database', `${dir}/data/bailian.db`, '--master-key', `${dir}/master.key`, ...args],
    { input, encoding: 'utf8', stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  const bailianctl = (...args) => run(args);
  bailianctl('master-key', 'create');
  bailianctl('db', 'migrate');
  bailianctl('upstream', 'add', 'emulator', '--kind', 'bailian-app', '--base-url', `${emulator.url}/api/v1`);
  run(['key', 'add', '--upstream', 'emulator', '--name', 'test'], 'sk-no-key-needed-here\n');
  bailianctl('app', 'add', 'default', '--upstream', 'emulator', '--app-id', 'scenario-current',
    '--default', '--incremental', 'on', '--thoughts', 'on', '--thinking', 'on');
}

function makeFolders(dir) {
  chmodSync(dir, 0o755);
  for (const name of ['run', 'data', 'reports']) mkdirSync(join(dir, name));
  chmodSync(join(dir, 'data'), 0o700);
  chmodSync(join(dir, 'reports'), 0o777);
  if (process.getuid() === 0) {
    const id = Number(execFileSync('id', ['-u', 'www-data'], { encoding: 'utf8' }));
    chownSync(join(dir, 'data'), id, id);
  }
}

export async function startServer({ port, extra = '', admin = '', location = '' } = {}) {
  for (const file of ['.libs/mod_bailian_sse.so', 'bailianctl']) {
    if (!existsSync(join(build, file))) throw new Error(`not built: ${join(build, file)} (BL_BUILD_DIR)`);
  }
  const emulator = await startEmulator();
  const dir = mkdtempSync(join(tmpdir(), 'bl-js-'));
  let listen = port || await freePort();
  let child;
  const log = () => (existsSync(join(dir, 'error_log')) ? readFileSync(join(dir, 'error_log'), 'utf8') : '');
  const start = async () => {
    const console = openSync(join(dir, 'console'), 'a');
    child = spawn(httpd, ['-f', join(dir, 'httpd.conf'), '-DFOREGROUND'],
      { stdio: ['ignore', console, console], env: environment(dir) });
    closeSync(console);
    await until(async () => child.exitCode !== null || answers(listen), 'httpd');
    if (child.exitCode !== null) throw new Error(readFileSync(join(dir, 'console'), 'utf8') + log());
  };
  // Somebody else can have taken the port since it was found free.
  const startSomewhere = async (tries) => {
    writeFileSync(join(dir, 'httpd.conf'), configuration(dir, listen, { extra, admin, location }));
    await start().catch(async (failure) => {
      if (port || !tries || !/could not bind/.test(failure.message)) throw failure;
      listen = await freePort();
      await startSomewhere(tries - 1);
    });
  };
  const end = () => stopped(child);
  try {
    makeFolders(dir);
    fillCatalog(dir, emulator);
    writeAdmins(dir);
    await startSomewhere(3);
  } catch (failure) {
    if (child) await end();
    await emulator.stop();
    rmSync(dir, { recursive: true, force: true });
    throw failure;
  }
  return {
    emulator,
    dir,
    log,
    origin: `http://127.0.0.1:${listen}`,
    base: `http://127.0.0.1:${listen}/bailian`,
    asAdmin: (path, options = {}) => fetch(`http://127.0.0.1:${listen}/bailian-admin/${path}`, { ...options,
      headers: { Authorization: `Basic ${btoa('li:canary-password')}`, 'Content-Type': 'application/json', ...options.headers } }),
    // Nobody is let in any more, until what this answers is called.
    forgetAdmins: () => {
      writeAdmins(dir, []);
      return () => writeAdmins(dir);
    },
    graceful: async () => {
      const count = () => log().split('resuming normal operations').length;
      const before = count();
      child.kill('SIGUSR1');
      await until(() => count() > before, 'the new generation');
    },
    restart: async () => { await end(); await start(); },
    stop: async () => {
      await end();
      await emulator.stop();
      const reports = readdirSync(join(dir, 'reports')).map((name) => readFileSync(join(dir, 'reports', name), 'utf8'));
      rmSync(dir, { recursive: true, force: true });
      if (reports.length) throw new Error(`a sanitizer found something:\n${reports.join('\n')}`);
    },
  };
}

// Without a test: `node server.mjs 8090` serves until Ctrl-C.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startServer({ port: Number(process.argv[2]) || undefined });
  console.log(`${server.base} emulator ${server.emulator.url} in ${server.dir}`);
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => server.stop().then(() => process.exit(0)));
}

// Another child has what was just written within a moment: check() is tried
// until it throws nothing.
export async function holds(check, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => { setTimeout(done, 20); });
    }
  }
}
