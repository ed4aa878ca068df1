/**
 * Machines of a test's own: network namespaces on a bridge, over which they reach each other and this process, and each of which can be cut off without anybody being told.
 * Only root can make them.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

/** Blocks of 16 addresses in the one for tests of networks (RFC 2544), which no machine has. */
const SUBNETS = 2 ** 13;
const MACHINES_MAX = 12;

/** Whether namespaces can be made here. */
export function canSeparate(): boolean {
  if (process.getuid?.() !== 0) return false;
  const name = `sluice-try-${randomInt(2 ** 32)}`;
  const isMade = run('netns', 'add', name).status === 0;
  if (isMade) ip('netns', 'del', name);
  return isMade;
}

export interface Machine {
  /** Its address. */
  readonly host: string;
  /** The command that runs another one there. */
  readonly under: readonly string[];
  /** No packet of it arrives anywhere, and none reaches it. Its own interface stays up, so that it is told nothing. */
  cut(): void;
  heal(): void;
}

export class Network {
  /** Where the machines reach this process. */
  readonly host: string;
  private readonly subnet: number;
  private readonly bridge: string;
  private readonly namespaces: string[] = [];

  constructor() {
    // The name keeps the block for this network among all tests of the machine.
    let subnet = 0;
    do subnet = randomInt(SUBNETS);
    while (!isAdded(bridgeOf(subnet)));
    this.subnet = subnet;
    this.bridge = bridgeOf(subnet);
    this.host = addressIn(subnet, 1);
    ip('addr', 'add', `${this.host}/28`, 'dev', this.bridge);
    ip('link', 'set', this.bridge, 'up');
  }

  add(): Machine {
    const number = this.namespaces.length + 2;
    if (number > MACHINES_MAX + 1) throw new Error(`A network has ${MACHINES_MAX} machines at most`);
    const namespace = `${this.bridge}-${number}`;
    const cable = namespace;
    const host = addressIn(this.subnet, number);
    const plug = (): void => ip('link', 'set', cable, 'master', this.bridge);
    ip('netns', 'add', namespace);
    this.namespaces.push(namespace);
    ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'net0', 'netns', namespace);
    plug();
    ip('link', 'set', cable, 'up');
    for (const device of ['lo', 'net0']) ip('-n', namespace, 'link', 'set', device, 'up');
    ip('-n', namespace, 'addr', 'add', `${host}/28`, 'dev', 'net0');
    return {
      host,
      under: ['nsenter', `--net=/run/netns/${namespace}`],
      cut: () => ip('link', 'set', cable, 'nomaster'),
      heal: plug,
    };
  }

  /** To be called when nothing runs on its machines any more, and nobody asks for them: their addresses are somebody else's from then on. */
  dispose(): void {
    // A namespace stays for as long as it has connections that nobody has closed; its cable need not. A cable has the name of its machine.
    for (const namespace of this.namespaces) {
      ip('link', 'del', namespace);
      ip('netns', 'del', namespace);
    }
    ip('link', 'del', this.bridge);
  }
}

const bridgeOf = (subnet: number): string => `sluice${subnet}`;

/** False: another test has it. */
function isAdded(bridge: string): boolean {
  const { status, stderr } = run('link', 'add', bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
  if (status !== 0 && !stderr.includes('File exists')) throw new Error(`no bridge can be added: ${stderr}`);
  return status === 0;
}

function addressIn(subnet: number, number: number): string {
  const at = subnet * 16 + number;
  return `198.${18 + Math.floor(at / 2 ** 16)}.${Math.floor(at / 256) % 256}.${at % 256}`;
}

function ip(...args: string[]): void {
  const { status, stderr } = run(...args);
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

function run(...args: string[]): { status: number | null; stderr: string } {
  const { status, error, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  return { status, stderr: error?.message ?? stderr };
}
