import assert from "node:assert/strict";
import { test } from "node:test";
import { latin1 } from "../../base/bytes.ts";
import { printIp } from "../../base/ip.ts";
import type { VrrpInstance } from "./config.ts";
import { machineOf, readerOf } from "./example.ts";
import { loadKeepalived } from "./load.ts";
import type { ScriptState } from "./machine.ts";

function load(text: string, files: Readonly<Record<string, string>> = {}) {
  return loadKeepalived("/etc/k.conf", {
    reader: readerOf({ "/etc/k.conf": text, ...files }),
    configId: "node1",
    environment: (name) => (name === "DEVICE" ? "eth7" : undefined),
    random: (min) => min,
  });
}

function instanceOf(body: string, before = ""): VrrpInstance {
  const vip = body.includes("virtual_ipaddress {") ? "" : "virtual_ipaddress {\n10.0.0.1\n}\n";
  const { config, diagnostics, isUsable } = load(
    `${before}\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 7\n${body}\n${vip}}\n`,
  );
  assert.ok(isUsable, JSON.stringify(diagnostics));
  return config.instances[0] as VrrpInstance;
}

const tutorial = `
! Configuration File for keepalived
global_defs {
	router_id node133 ## words behind a comment sign don't count
}
vrrp_script chk_nginx {
	script "/etc/keepalived/nginx_check.sh"
	interval 2
	weight -20
}
vrrp_instance VI_1 {
	state MASTER
	interface eth0
	virtual_router_id 33
	mcast_src_ip 192.168.50.133
	priority 100
	nopreempt
	advert_int 1
	authentication {
		auth_type PASS
		auth_pass 1111
	}
	track_script {
		chk_nginx
	} #
	virtual_ipaddress {
		192.168.50.130
	}
}
`;

test("the tutorial's file means what keepalived makes of it", () => {
  const { config, exitStatus, isUsable } = load(tutorial);
  assert.ok(isUsable);
  assert.equal(exitStatus, 6);
  const [instance] = config.instances as [VrrpInstance];
  assert.equal(config.globals.routerId, "node133");
  assert.equal(instance.initialState, "MASTER");
  assert.equal(instance.nopreempt, false, "cleared with state MASTER");
  assert.equal(instance.advertIntervalMs, 1000);
  assert.equal(instance.version, 2);
  assert.equal(printIp(instance.sourceAddress!), "192.168.50.133");
  assert.equal(latin1(instance.authentication!.password), "1111\0\0\0\0");
  assert.deepEqual(
    instance.addresses.map(({ address, prefixLength, interface: device }) => [printIp(address), prefixLength, device]),
    [["192.168.50.130", 32, "eth0"]],
  );
  const [track] = instance.tracks.scripts;
  assert.equal(track?.weight, -20);
  const [script] = config.scripts;
  assert.deepEqual(script?.command.argv, ["/etc/keepalived/nginx_check.sh"]);
  assert.equal(script?.timeoutMs, 2000, "the interval, because no timeout is written");
  assert.deepEqual(instance.where.get("nopreempt"), { file: "/etc/k.conf", line: 17, column: 2 });
});

test("the configuration is frozen", () => {
  const { config } = load(tutorial);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.instances) && Object.isFrozen(config.instances[0]));
  assert.ok(Object.isFrozen(config.instances[0]?.addresses[0]) && Object.isFrozen(config.scripts[0]?.command.argv));
});

test("a priority that is not written depends on the state", () => {
  assert.equal(instanceOf("").priority, 100);
  assert.equal(instanceOf("state MASTER").priority, 255);
  assert.equal(instanceOf("priority 255").initialState, "MASTER");
  assert.equal(instanceOf("priority 255\nstate BACKUP").initialState, "BACKUP");
});

test("a priority that is not valid is 100, whatever the state", () => {
  assert.equal(instanceOf("state MASTER\npriority 300").priority, 100);
  assert.equal(instanceOf("priority 255\npriority 0").priority, 100);
});

test("advert intervals are rounded to what the version can say", () => {
  const ms = (body: string): number => instanceOf(body).advertIntervalMs;
  assert.equal(ms("advert_int 0.4"), 1000);
  assert.equal(ms("advert_int 1.5"), 2000);
  assert.equal(ms("version 3\nadvert_int 0.015"), 20);
  assert.equal(ms("version 3\nadvert_int 0.01"), 10);
  assert.equal(ms("version 3\nadvert_int 100"), 40_950);
});

test("IPv6 addresses make version 3 and the IPv6 group", () => {
  const instance = instanceOf("virtual_ipaddress {\nfe80::1\n2001:db8::1/64\n}");
  assert.equal(instance.family, 6);
  assert.equal(instance.version, 3);
  assert.equal(printIp(instance.multicastGroup), "ff02::12");
  assert.deepEqual(
    instance.addresses.map(({ prefixLength, preferredLifetimeS }) => [prefixLength, preferredLifetimeS]),
    [
      [128, 0],
      [64, undefined],
    ],
  );
});

test("instances take what they don't say from global_defs, also when it stands behind them", () => {
  const globals = "global_defs {\nvrrp_version 3\nvrrp_garp_master_delay 7\nvrrp_garp_interval 0.0005\n}";
  const text = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n";
  for (const file of [`${globals}\n${text}`, `${text}${globals}\n`]) {
    const [instance] = load(file).config.instances as [VrrpInstance];
    assert.equal(instance.version, 3);
    assert.equal(instance.announce.delayMs, 7000);
    assert.equal(instance.announce.lowerPriorityDelayMs, 7000);
    assert.equal(instance.announce.garpIntervalMs, 0.5);
  }
});

test("vrrp_min_garp changes only what is not written", () => {
  const { announce } = instanceOf("garp_master_repeat 2", "global_defs {\nvrrp_min_garp\nvrrp_garp_master_delay 7\n}");
  assert.deepEqual(
    [
      announce.delayMs,
      announce.repeat,
      announce.refreshRepeat,
      announce.lowerPriorityDelayMs,
      announce.lowerPriorityRepeat,
    ],
    [7000, 2, 0, 7000, 1],
  );
});

test("more addresses than an advert can hold become excluded ones", () => {
  const instance = instanceOf("virtual_ipaddress {\n~SEQ(a,0,259) 10.1.1.$a\n~SEQ(b,1,250) 10.1.2.$b\n}");
  assert.equal(instance.addresses.length, 255);
  assert.equal(instance.excludedAddresses.length, 251, "256 … 259 are no addresses");
});

test("an address has the options of ip address", () => {
  const [address] = instanceOf(
    "virtual_ipaddress {\n192.168.50.130/24 brd + dev eth1 scope link label eth1:1 noprefixroute no_track\n}",
  ).addresses;
  assert.equal(printIp(address!.broadcast!), "192.168.50.255");
  assert.deepEqual(
    [address?.interface, address?.scope, address?.label, address?.noPrefixRoute, address?.noTrack, address?.home],
    ["eth1", 253, "eth1:1", true, true, false],
  );
});

test("unicast peers make an instance unicast; a TTL bound asks for known sources", () => {
  const plain = instanceOf("unicast_src_ip 10.0.0.9\nunicast_peer {\n10.0.0.8\n}");
  assert.ok(plain.unicast && !plain.checkUnicastSource);
  const bounded = instanceOf("unicast_peer {\n10.0.0.8 min_ttl 254\n}");
  assert.ok(bounded.checkUnicastSource);
  assert.equal(bounded.unicastPeers[0]?.minTtl, 254);
});

test("what Tandem has not implemented is an error with its name, and its block is skipped", () => {
  const { diagnostics, isUsable, exitStatus, config } = load(
    "global_defs {\n  enable_dbus {\n    foo\n  }\n  router_id x\n}\n",
  );
  assert.equal(isUsable, false);
  assert.equal(exitStatus, 5);
  assert.deepEqual(
    diagnostics.map(({ message, position }) => `${position?.line}: ${message}`),
    ["2: 'enable_dbus' is refused: Tandem has no DBus interface; notify pipes tell the same"],
  );
  assert.equal(config.globals.routerId, "x");
});

test("who is told by mail: the block's own word, else the one for VRRP, else the general one", () => {
  const alerts = (globals: string, own = ""): readonly boolean[] => {
    const { config } = load(
      `global_defs {\n${globals}\n}\nvrrp_sync_group G {\ngroup {\nV\n}\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 1\n${own}\n}\n`,
    );
    return [config.instances[0]?.smtpAlert ?? false, config.syncGroups[0]?.smtpAlert ?? false];
  };
  assert.deepEqual(alerts(""), [false, false]);
  assert.deepEqual(alerts("smtp_alert"), [true, true]);
  assert.deepEqual(alerts("smtp_alert\nsmtp_alert_vrrp off"), [false, false]);
  assert.deepEqual(alerts("smtp_alert_vrrp yes", "smtp_alert off"), [false, true]);
  assert.deepEqual(alerts("", "smtp_alert"), [true, false]);
});

test("where mail goes, with what only Tandem knows", () => {
  const mailOf = (text: string) => load(`global_defs {\n${text}\n}\n`);
  const plain = mailOf("smtp_server 10.0.0.1 587\nno_email_faults\nnotification_email {\na@b c@d\ne@f\n}").config
    .globals.mail;
  assert.deepEqual(
    [plain.server, plain.port, plain.isWithoutFaults, plain.to, plain.tls, plain.auth, plain.connectTimeoutMs],
    ["10.0.0.1", 587, true, ["a@b", "c@d", "e@f"], "off", undefined, 30_000],
  );
  const ours = mailOf("smtp_auth lb file:/etc/pass\nsmtp_tls starttls\nsmtp_tls_ca /etc/ca.pem\nsmtp_tls_verify off");
  assert.equal(ours.exitStatus, 0);
  const { auth, tls, tlsCa, isTlsUnverified } = ours.config.globals.mail;
  assert.deepEqual(
    [auth, tls, tlsCa, isTlsUnverified],
    [{ user: "lb", password: "file:/etc/pass" }, "starttls", "/etc/ca.pem", true],
  );
  for (const wrong of ["smtp_auth lb", "smtp_tls maybe", "smtp_tls_verify 7"])
    assert.deepEqual(
      mailOf(wrong).diagnostics.map(({ severity }) => severity),
      ["error"],
      wrong,
    );
});

test("a script's command is split with quotes and escapes, never given to a shell", () => {
  const { config } = load("vrrp_script a {\nscript \"/bin/sh -c 'exit 0' a\\\\ b \\x41\"\nuser nobody nogroup\n}\n");
  assert.deepEqual(config.scripts[0]?.command.argv, ["/bin/sh", "-c", "exit 0", "a b", "A"]);
  assert.deepEqual(config.scripts[0]?.command.user, { user: "nobody", group: "nogroup" });
});

test("track_upstream is a line or a block, without a weight its loss is a fault, and a name counts once", () => {
  const tracks = (text: string) =>
    instanceOf(text).tracks.upstreams.map(({ name, weight, weightReverse }) => [name, weight, weightReverse]);
  assert.deepEqual(tracks("track_upstream app weight -30"), [["app", -30, false]]);
  assert.deepEqual(tracks("track_upstream app\ntrack_upstream app weight 5"), [["app", 0, false]]);
  assert.deepEqual(tracks("track_upstream {\napp weight 20 reverse\nother\n}"), [
    ["app", 20, true],
    ["other", 0, false],
  ]);
  const owner = "priority 255\ntrack_upstream app weight -30\ntrack_upstream other";
  assert.deepEqual(tracks(owner), [["other", 0, false]], "nothing lowers an owner's priority");
});

test("a weight on the line of a track goes before the script's own, and keeps its reverse", () => {
  const script = 'vrrp_script chk {\nscript "/bin/true"\nweight 5 reverse\n}\n';
  const track = (line: string) => instanceOf(`track_script {\n${line}\n}`, script).tracks.scripts[0];
  assert.deepEqual([track("chk")?.weight, track("chk")?.weightReverse], [5, true]);
  assert.deepEqual([track("chk weight 10")?.weight, track("chk weight 10")?.weightReverse], [10, true]);
  assert.equal(track("chk weight 10 noreverse")?.weightReverse, false);
});

test("members of a sync group lose their weights, and know their group", () => {
  const vip = (address: string): string => `virtual_ipaddress {\n${address}\n}\n}\n`;
  const text = `vrrp_script chk {\nscript "/bin/true"\nweight -5\n}
vrrp_sync_group G {\ngroup {\nA B\n}\n}
vrrp_instance A {\ninterface eth0\nvirtual_router_id 7\ntrack_script {\nchk\n}\n${vip("10.0.0.1")}
vrrp_instance B {\ninterface eth1\nvirtual_router_id 7\n${vip("10.0.1.1")}`;
  const { config } = load(text);
  assert.deepEqual(config.syncGroups[0]?.members, ["A", "B"]);
  assert.equal(config.instances[0]?.syncGroup, "G");
  assert.deepEqual(config.instances[0]?.tracks.scripts, []);
  const kept = load(text.replace("group {", "sync_group_tracking_weight\ngroup {")).config;
  assert.equal(kept.instances[0]?.tracks.scripts[0]?.weight, -5);
});

test("lines for other nodes are left out", () => {
  assert.equal(instanceOf("@node1 priority 90\n@node2 priority 80\n@^node1 priority 70").priority, 90);
});

test("definitions are resolved where they are used, several lines at once, and predefined ones too", () => {
  const instance = instanceOf(
    'priority ${N}${N}\n$BLOCK\nnotify_master "${_ENV DEVICE} ${_PWD} ${_RANDOM 4 6}"',
    "$N=1\n$M=nopre\\\n\n$BLOCK=\\\n  $P \\\n  garp_master_delay 3\n$P=nopreempt",
  );
  assert.equal(instance.priority, 11);
  assert.equal(instance.nopreempt, true);
  assert.equal(instance.announce.delayMs, 3000);
  assert.deepEqual(instance.notifies.master?.argv, ["eth7", "/etc", "4"]);
});

test("repeaters count, in hexadecimal and from lists with several variables", () => {
  const instance = instanceOf(
    "virtual_ipaddress {\n~SEQ(n,9,-2,5) 10.0.0.$n\n~LST({a,b},{1,2},{3,4}) 10.1.$a.$b\n~SEQ(a,1,2) ~LST(b,5,6) 10.2.$a.$b\n}",
  );
  assert.deepEqual(
    instance.addresses.map(({ address }) => printIp(address)),
    ["10.0.0.9", "10.0.0.7", "10.0.0.5", "10.1.1.2", "10.1.3.4", "10.2.1.5", "10.2.1.6", "10.2.2.5", "10.2.2.6"],
  );
});

test("includes are relative to the including file, may be patterns, and say their own name in messages", () => {
  const { config, diagnostics, files } = load("include conf.d/*.conf\n", {
    "/etc/conf.d/a.conf": "global_defs {\nrouter_id a\n}\n",
    "/etc/conf.d/b.conf": "include ../etc/x{1,2}.sub\n",
    "/etc/conf.d/../etc/x2.sub": "foo\n",
  });
  assert.equal(config.globals.routerId, "a");
  assert.deepEqual(files, ["/etc/k.conf", "/etc/conf.d/a.conf", "/etc/conf.d/b.conf", "/etc/conf.d/../etc/x2.sub"]);
  assert.deepEqual(
    diagnostics.map(({ message, position }) => [message, position?.file]),
    [
      ['Some config files missing: "../etc/x{1,2}.sub".', "/etc/conf.d/b.conf"],
      ["Unknown keyword 'foo'", "/etc/conf.d/../etc/x2.sub"],
    ],
  );
});

test("a file that includes itself ends", () => {
  const { isUsable, diagnostics } = load("include /etc/k.conf\n");
  assert.equal(isUsable, false);
  assert.match(diagnostics[0]?.message ?? "", /too many nested includes/);
});

test("a file that can't be read makes the configuration unusable", () => {
  const { isUsable, diagnostics } = loadKeepalived("/none", { reader: readerOf({}), configId: "x" });
  assert.equal(isUsable, false);
  assert.equal(diagnostics[0]?.message, "Config files missing '/none'.");
});

test("carriage returns, tabs and a missing end of line don't matter; a no-break space does", () => {
  const text = "vrrp_instance A {\r\n\tinterface\teth0\r\n\tvirtual_router_id 7\r\n virtual_ipaddress { 10.0.0.1 } }";
  assert.equal(load(text).exitStatus, 0);
  assert.match(load(text.replace("\tinterface", "\u00a0interface")).diagnostics[0]?.message ?? "", /Unknown keyword/);
});

test("timer_expired_backup needs nopreempt, and thread_timer_expired is its old spelling", () => {
  const load = (body: string) => {
    const text = `vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n${body}\n}\n`;
    const { config, diagnostics } = loadKeepalived("/a", { reader: readerOf({ "/a": text }), configId: "a" });
    return [config.instances[0]?.highestOtherPriority, diagnostics.map(({ message }) => message)];
  };
  assert.deepEqual(load("nopreempt\ntimer_expired_backup"), [254, []]);
  assert.deepEqual(load("nopreempt\ntimer_expired_backup 120"), [120, []]);
  assert.deepEqual(load("nopreempt\nthread_timer_expired 120"), [
    120,
    ["(V) thread_timer_expired - please replace with keyword 'timer_expired_backup'"],
  ]);
  assert.deepEqual(load("timer_expired_backup"), [
    undefined,
    ["(V) expired_timer_backup requires nopreempt - resetting"],
  ]);
  assert.deepEqual(load("nopreempt\ntimer_expired_backup 255"), [
    undefined,
    [
      "number '255' outside range [1, 254]",
      "(V) timer_expired_backup highest_other_priority not valid! must be between 1 & 254",
    ],
  ]);
});

test("two instances with one id on one interface are refused", () => {
  const one = (name: string): string =>
    `vrrp_instance ${name} {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n`;
  const { isUsable, diagnostics } = load(one("A") + one("B"));
  assert.equal(isUsable, false);
  assert.equal(diagnostics[0]?.message, "A and B both use VRID 7 with IPv4 on interface eth0");
});

test("a missing interface ends the checks, as keepalived ends there", () => {
  const text = tutorial.replace("eth0", "eth9");
  const machine = machineOf(["eth0"]);
  const loaded = loadKeepalived("/k", { reader: readerOf({ "/k": text }), configId: "x", machine });
  assert.equal(loaded.exitStatus, 5);
  assert.deepEqual(
    loaded.diagnostics.map(({ message }) => message),
    [
      "WARNING - interface eth9 for vrrp_instance VI_1 doesn't exist",
      "Non-existent interface specified in configuration",
    ],
  );
});

test("notify scripts that don't exist are no danger", () => {
  const text = tutorial.replace(/vrrp_script[^}]*}/, "").replace(/track_script {[^}]*}/, 'notify "/none x"');
  const exit = (scripts: Readonly<Record<string, ScriptState>>): number =>
    loadKeepalived("/k", { reader: readerOf({ "/k": text }), configId: "x", machine: machineOf(["eth0"], scripts) })
      .exitStatus;
  assert.equal(exit({}), 5);
  assert.equal(exit({ "/none": "ok" }), 6);
});

test("a script that only a shell could read is said to be one", () => {
  const { diagnostics, isUsable } = load('vrrp_script a {\nscript "</dev/tcp/127.0.0.1/80"\n}\n');
  assert.ok(isUsable);
  assert.match(diagnostics[0]?.message ?? "", /write "bash -c '<\/dev\/tcp\/127\.0\.0\.1\/80'"/);
});

test("bfd_instance: defaults, units, families, and who follows it", () => {
  const before = `bfd_instance four { 
neighbor_ip 10.0.0.2
}
bfd_instance six {
neighbor_ip fd00::2/64
source_ip fd00::1
min_rx 1.5
min_tx 20
idle_tx 2000
multiplier 3
passive
hoplimit 255
max_hops -1
multihop
weight -5 reverse
}`;
  const instance = instanceOf("track_bfd {\nfour\nsix\n}", before);
  assert.deepEqual(
    instance.tracks.bfds.map(({ name, weight, weightReverse }) => [name, weight, weightReverse]),
    [
      ["four", 0, false],
      ["six", -5, true],
    ],
  );
  const { config } = load(before);
  const [four, six] = config.bfds.map(({ at: _, where: __, neighbor, source, ...rest }) => ({
    ...rest,
    neighbor: printIp(neighbor),
    source: source && printIp(source),
  }));
  assert.deepEqual(four, {
    name: "four",
    neighbor: "10.0.0.2",
    source: undefined,
    minRxUs: 10_000,
    minTxUs: 10_000,
    idleTxUs: 1_000_000,
    multiplier: 5,
    passive: false,
    ttl: 255,
    maxHops: 0,
    multihop: false,
    weight: 0,
    weightReverse: false,
  });
  assert.deepEqual(six, {
    name: "six",
    neighbor: "fd00::2",
    source: "fd00::1",
    minRxUs: 1500,
    minTxUs: 20_000,
    idleTxUs: 2_000_000,
    multiplier: 3,
    passive: true,
    ttl: 255,
    maxHops: 255,
    multihop: true,
    weight: -5,
    weightReverse: true,
  });
  assert.equal(load("bfd_instance x {\nneighbor_ip fd00::2\n}").config.bfds[0]?.ttl, 64, "as keepalived");
  const families = load("bfd_instance x {\nneighbor_ip fd00::2\nsource_ip 10.0.0.1\n}");
  assert.deepEqual(families.config.bfds, []);
  assert.match(
    families.diagnostics[0]?.message ?? "",
    /source address 10\.0\.0\.1 and neighbor address fd00::2 are not of the same family, disabling instance/,
  );
});

test("auth_hmac: keys in three forms, defaults, and what goes with it", () => {
  const text = "0123456789abcdef0123456789abcdef";
  const digits = "00ff".repeat(16);
  const body = (more: string): string =>
    `advert_int 4\nauth_hmac {\nkey 1 ${text}\nkey 2 hex:${digits}\nkey 3 file:/keys/three\nactive_key 2\n${more}\n}`;
  const files = { "/keys/three": `hex:${"ab".repeat(64)}\r\n`, "/keys/open": text, "/keys/long": "x".repeat(140) };
  const read = (more: string, extra = "") => {
    const { config, diagnostics, exitStatus } = loadKeepalived("/etc/k.conf", {
      reader: readerOf({
        "/etc/k.conf": `vrrp_instance A {\ninterface eth0\nvirtual_router_id 7\n${body(more)}\n${extra}\nvirtual_ipaddress {\n10.0.0.1\n}\n}`,
        ...files,
      }),
      configId: "node",
      machine: machineOf(["eth0"]),
    });
    const said = diagnostics.map(({ message }) => message);
    return { hmac: config.instances[0]?.authHmac, instance: config.instances[0], said, exitStatus };
  };
  const { hmac, said } = read("");
  assert.deepEqual(said, []);
  assert.deepEqual(
    hmac?.keys.map(({ id, bytes }) => [id, bytes.length]),
    [
      [1, 32],
      [2, 32],
      [3, 64],
    ],
  );
  assert.equal(latin1(hmac?.keys[0]?.bytes ?? new Uint8Array(0)), text);
  assert.deepEqual([hmac?.activeKey.id, hmac?.antiReplay, hmac?.windowS, hmac?.mode], [2, "time", 12, "enforce"]);
  const set = read("anti_replay monotonic\ntime_window 300\nmode receive-only").hmac;
  assert.deepEqual([set?.antiReplay, set?.windowS, set?.mode], ["monotonic", 300, "receive-only"]);
  const strict = read("mode permissive", "strict_mode");
  assert.deepEqual([strict.hmac?.mode, strict.said], ["enforce", ["(A) strict mode requires auth_hmac mode enforce"]]);
  const both = read("", "authentication {\nauth_type PASS\nauth_pass 1\n}");
  assert.equal(both.instance?.authentication, undefined);
  assert.deepEqual(both.said, ["(A) auth_hmac cannot be combined with authentication, dropping legacy auth"]);
  for (const [more, message, exitStatus] of [
    ["key 4 short", "(A) auth_hmac key 4 length 5 not in range [32, 64]", 5],
    ["key 4 hex:zz", "(A) auth_hmac key 4 length 0 not in range [32, 64]", 5],
    [`key 1 ${text}`, "(A) duplicate auth_hmac key id 1", 5],
    ["key 0 x", "(A) auth_hmac key id '0' must be between 1 and 255", 5],
    ["key 4", "(A) auth_hmac key needs an id and a value", 5],
    ["key 4 file:/keys/none", "(A) auth_hmac key file '/keys/none' cannot be opened", 5],
    ["key 4 file:/keys/long", "(A) auth_hmac key file '/keys/long' is too large", 5],
    ["key 4 file:/keys/open", "(A) auth_hmac key file '/keys/open' is readable by group or others", 6],
    ["active_key 256", "(A) auth_hmac active_key '256' must be between 1 and 255", 5],
    ["active_key 9", "(A) auth_hmac active_key 9 is not defined, disabling extension", 5],
    ["anti_replay never", "(A) auth_hmac anti_replay 'never' must be time or monotonic", 5],
    ["time_window 301", "(A) auth_hmac time_window '301' must be between 1 and 300 seconds", 5],
    ["mode lax", "(A) auth_hmac mode 'lax' must be enforce, permissive or receive-only", 5],
  ] as const) {
    const result = read(more);
    assert.ok(result.said.includes(message), `${more}: ${result.said.join("; ")}`);
    assert.equal(result.exitStatus, exitStatus, more);
  }
  assert.equal(read("active_key 9").hmac, undefined);
});

test("strict mode takes out what the RFC does not know", () => {
  const strict = instanceOf(
    "strict_mode\nauthentication {\nauth_type AH\nauth_pass 1\n}\npreempt_delay 9\ndown_timer_adverts 9\naccept\nlower_prio_no_advert off\nhigher_prio_send_advert\ngarp_lower_prio_repeat 3",
  );
  assert.equal(strict.authentication, undefined);
  assert.deepEqual(
    [strict.preemptDelayMs, strict.downTimerAdverts, strict.accept, strict.lowerPriorityNoAdvert],
    [0, 3, false, true],
  );
  assert.deepEqual([strict.higherPrioritySendAdvert, strict.announce.lowerPriorityRepeat], [false, 0]);
  const owner = instanceOf("priority 255", "global_defs {\nvrrp_strict\n}");
  assert.deepEqual([owner.strict, owner.accept, owner.ownerIgnoresAdverts], [true, true, true]);
  assert.equal(instanceOf("strict_mode off", "global_defs {\nvrrp_strict\n}").strict, false);
  assert.equal(instanceOf("version 3\naccept\nstrict_mode").accept, true, "version 3 may accept");
  assert.equal(instanceOf("owner_ignore_adverts").ownerIgnoresAdverts, false, "who owns nothing listens");
});

test("an instance's room in the receive buffer: its own word, else the policy of all", () => {
  const using = (policy: string, body = ""): VrrpInstance["receiveBuffer"] =>
    instanceOf(body, `global_defs {\n${policy}\n}`).receiveBuffer;
  assert.equal(using(""), undefined);
  assert.deepEqual(using("vrrp_rx_bufs_policy MTU"), { mtus: 3 });
  assert.deepEqual(using("vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_multiplier 7"), { mtus: 7 });
  assert.deepEqual(using("vrrp_rx_bufs_policy 5000\nvrrp_rx_bufs_multiplier 7"), { bytes: 5000 });
  assert.deepEqual(using("vrrp_rx_bufs_policy ADVERT"), { bytes: 3 * 40 });
  assert.deepEqual(using("vrrp_rx_bufs_policy ADVERT", "version 3"), { bytes: 3 * 32 });
  const ah = "authentication {\nauth_type AH\nauth_pass 1\n}";
  assert.deepEqual(using("vrrp_rx_bufs_policy ADVERT", ah), { bytes: 3 * 64 });
  assert.deepEqual(using("vrrp_rx_bufs_policy MTU", "kernel_rx_buf_size 9000"), { bytes: 9000 });
  assert.equal(using("vrrp_rx_bufs_policy 0", "kernel_rx_buf_size 0"), undefined);
});
