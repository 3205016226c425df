/**
 * The members of an upstream that come and go with the addresses of their names. One worker resolves the names; which peers
 * there are, and in which slots of the common memory, it writes into a roster beside them, and every worker follows when its
 * version has changed. nginx: the `resolve` list of ngx_http_upstream_rr_peers_t, ngx_http_upstream_zone_resolve_handler.
 */
import {
  claimSlot,
  type Group,
  type Membership,
  type PeerMemory,
  type PeerSettings,
  Peers,
  releaseSlot,
} from "./peers.ts";

/** Where the roster is written; read and written with the lock of the peers' memory held. */
export interface Roster {
  /** Changes with each text; 0 before the first. Needs no lock. */
  readonly version: number;
  read(): string;
  /** False, and nothing has changed, when there is no room. */
  write(text: string): boolean;
}

/** A `server` whose peers are the addresses of its name. */
export interface NamedServer {
  /** Names it across workers and reloads: its service, if any, and its host. */
  readonly key: string;
  /** Of its peers; those of a service have a `server` and a weight of their own. */
  readonly settings: Omit<PeerSettings, "name">;
  /** The bit of DOWN that a new peer's health checks begin with. */
  readonly healthOf: (settings: PeerSettings) => number;
  /** A peer that was found for the same key under an earlier configuration, as this one would have it. */
  readonly renew: (former: FoundPeer) => FoundPeer;
}

/** A peer that a name has led to. */
export interface FoundPeer {
  /** As `PeerSettings.name`. */
  readonly name: string;
  /** The target of a service; "": what the server is called. */
  readonly server: string;
  readonly weight: number;
  readonly backup: boolean;
}

interface Member extends FoundPeer {
  readonly slot: number;
}

/** What is known of one server's name. */
interface Known {
  readonly key: string;
  /** By the clock that all workers share, ms; 0: at once. */
  readonly validUntilMs: number;
  readonly members: readonly Member[];
}

interface Placed {
  readonly settings: PeerSettings;
  readonly slot: number;
}

export class NamedMembers implements Membership {
  private readonly group: Group;
  private readonly roster: Roster;
  private readonly servers: readonly NamedServer[];
  /** The peers of the configuration itself. */
  private readonly primary: readonly Placed[];
  private readonly backup: readonly Placed[];
  private known: readonly Known[];
  private version = 0;
  /** Peers that stay are the same objects, so that what others keep by them stays true. */
  private placed = new Map<number, Placed>();

  /** `former`: the roster of the same upstream before a reload, whose addresses serve until the names are resolved again. */
  constructor(group: Group, roster: Roster, servers: readonly NamedServer[], former: string | undefined) {
    this.group = group;
    this.roster = roster;
    this.servers = servers;
    this.primary = placedOf(group.primary);
    this.backup = group.backup === undefined ? [] : placedOf(group.backup);
    this.known = servers.map(({ key }) => ({ key, validUntilMs: 0, members: [] }));
    group.membership = this;
    group.memory.lock();
    if (this.isStale) this.follow();
    else if (former !== undefined) this.inherit(parse(former));
    group.memory.unlock();
  }

  get isStale(): boolean {
    return this.roster.version !== this.version;
  }

  /** When to ask for the name of server `index` again, ms of the clock that all workers share. */
  validUntilMs(index: number): number {
    return (this.known[index] as Known).validUntilMs;
  }

  /** Reads what another worker has written. Call with the lock held. */
  follow(): void {
    this.version = this.roster.version;
    this.adopt(parse(this.roster.read()));
  }

  /** The name of server `index` has led to these peers. Returns how many of them there was no room for. */
  update(index: number, found: readonly FoundPeer[], validUntilMs: number): number {
    const { memory } = this.group;
    memory.lock();
    if (this.isStale) this.follow();
    const unplaced = this.replace(index, found, validUntilMs);
    memory.unlock();
    return unplaced;
  }

  private replace(index: number, found: readonly FoundPeer[], validUntilMs: number): number {
    const { memory } = this.group;
    const { key, members } = this.known[index] as Known;
    const wanted = [...found];
    const staying: Member[] = [];
    for (const member of members) {
      const at = wanted.findIndex((peer) => isSame(peer, member));
      if (at < 0) releaseSlot(memory, member.slot);
      else staying.push(...wanted.splice(at, 1).map((peer) => ({ ...peer, slot: member.slot })));
    }
    const all = [...staying];
    for (const peer of wanted) {
      const slot = claimSlot(memory, this.settingsOf(index, peer));
      if (slot === undefined) break;
      all.push({ ...peer, slot });
    }
    const knownWith = (some: readonly Member[]): readonly Known[] =>
      this.known.map((one, i) => (i === index ? { key, validUntilMs, members: some } : one));
    // A roster is as long as its peers' names: those that it has no room for go again.
    while (!this.roster.write(print(knownWith(all))) && all.length > 0) releaseSlot(memory, (all.pop() as Member).slot);
    this.version = this.roster.version;
    this.adopt(knownWith(all));
    return found.length - all.length;
  }

  /** Begins with what was known before the reload. */
  private inherit(former: readonly Known[]): void {
    this.servers.forEach(({ key, renew }, index) => {
      const before = former.find((known) => known.key === key);
      // One without an address is asked for at once.
      if (before !== undefined && before.members.length > 0)
        this.replace(index, before.members.map(renew), before.validUntilMs);
    });
  }

  /** Makes the group what the roster says. */
  private adopt(known: readonly Known[]): void {
    const isChanged = JSON.stringify(known.map(membersOf)) !== JSON.stringify(this.known.map(membersOf));
    this.known = known;
    if (!isChanged) return;
    const before = this.placed;
    this.placed = new Map();
    const primary = [...this.primary];
    const backup = [...this.backup];
    known.forEach(({ members }, index) => {
      for (const member of members) {
        const placed = this.place(index, member, before.get(member.slot));
        this.placed.set(member.slot, placed);
        (member.backup ? backup : primary).push(placed);
      }
    });
    const { memory } = this.group;
    this.group.adopt(peersOf(memory, primary), backup.length > 0 ? peersOf(memory, backup) : undefined);
  }

  private place(index: number, { slot, ...peer }: Member, before: Placed | undefined): Placed {
    const settings = this.settingsOf(index, peer);
    const { name, server, weight } = settings;
    const isKept =
      before?.settings.name === name && before.settings.server === server && before.settings.weight === weight;
    return isKept ? before : { settings, slot };
  }

  private settingsOf(index: number, { name, server, weight }: FoundPeer): PeerSettings {
    const { settings, healthOf } = this.servers[index] as NamedServer;
    const found = { ...settings, name, weight, server: server === "" ? settings.server : server };
    return { ...found, health: healthOf(found) };
  }
}

function placedOf(peers: Peers): readonly Placed[] {
  return peers.settings.map((settings, index) => ({ settings, slot: peers.slots[index] as number }));
}

function peersOf(memory: PeerMemory, placed: readonly Placed[]): Peers {
  return new Peers(
    memory,
    placed.map(({ settings }) => settings),
    placed.map(({ slot }) => slot),
  );
}

function membersOf({ members }: Known): readonly Member[] {
  return members;
}

function isSame(a: FoundPeer, b: FoundPeer): boolean {
  return a.name === b.name && a.server === b.server && a.weight === b.weight && a.backup === b.backup;
}

type MemberLine = readonly [name: string, server: string, weight: number, backup: 0 | 1, slot: number];
type KnownLine = readonly [key: string, validUntilMs: number, members: readonly MemberLine[]];

function print(known: readonly Known[]): string {
  const lines = known.map(({ key, validUntilMs, members }): KnownLine => {
    const memberLines = members.map(
      ({ name, server, weight, backup, slot }): MemberLine => [name, server, weight, backup ? 1 : 0, slot],
    );
    return [key, validUntilMs, memberLines];
  });
  return JSON.stringify(lines);
}

function parse(text: string): readonly Known[] {
  const lines = (text === "" ? [] : JSON.parse(text)) as readonly KnownLine[];
  return lines.map(([key, validUntilMs, members]) => ({
    key,
    validUntilMs,
    members: members.map(([name, server, weight, backup, slot]) => ({
      name,
      server,
      weight,
      backup: backup === 1,
      slot,
    })),
  }));
}
