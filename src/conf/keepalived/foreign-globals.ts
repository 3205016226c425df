/** Keywords of `global_defs` that Tandem has no use for, or refuses. */
import type { GlobalsDraft } from "./drafts.ts";
import type { Keywords } from "./interpreter.ts";
import { allRefused, allWithoutEffect, NO_SYNC_DAEMON } from "./slots.ts";

const NO_DBUS = "Tandem has no DBus interface; notify pipes tell the same";
const NO_SNMP = "Tandem has no SNMP agent; tandem status and the dumps tell the same";

/** What concerns other subsystems of keepalived, and what is not implemented. */
export const foreign: Keywords<GlobalsDraft> = {
  ...allWithoutEffect("Tandem runs a script by the path that is written", ["use_symlink_paths"]),
  ...allWithoutEffect("every address of a group is a service of its own", [
    "nftables_ipvs",
    "nftables_ipvs_priority",
    "nftables_ipvs_start_fwmark",
  ]),
  ...allWithoutEffect("BFD sessions live in the VRRP process", [
    "bfd_process_name",
    "bfd_priority",
    "bfd_rt_priority",
    "bfd_rlimit_rttime",
    "bfd_rlimit_rtime",
    "bfd_no_swap",
    "bfd_cpu_affinity",
  ]),
  ...allWithoutEffect("Tandem's rules are in tables of nf_tables that are its own", [
    "vrrp_iptables",
    "vrrp_ipsets",
    "nftables",
    "nftables_priority",
    "nftables_counters",
    "nftables_ifindex",
  ]),
  ...allWithoutEffect("Tandem sizes its buffers itself", [
    "vrrp_netlink_cmd_rcv_bufs",
    "vrrp_netlink_cmd_rcv_bufs_force",
    "vrrp_netlink_monitor_rcv_bufs",
    "vrrp_netlink_monitor_rcv_bufs_force",
    "process_monitor_rcv_bufs",
    "process_monitor_rcv_bufs_force",
    "lvs_netlink_cmd_rcv_bufs",
    "lvs_netlink_cmd_rcv_bufs_force",
    "lvs_netlink_monitor_rcv_bufs",
    "lvs_netlink_monitor_rcv_bufs_force",
  ]),
  ...allWithoutEffect("it concerns how keepalived itself reads its configuration", [
    "random_seed",
    "tmp_config_directory",
    "config_save_dir",
    "data_use_instance",
    "iproute_usr_dir",
    "iproute_etc_dir",
    "set_supplementary_groups",
  ]),
  ...allRefused(NO_DBUS, ["enable_dbus", "dbus_service_name", "dbus_no_interface_name"]),
  ...allRefused(NO_SNMP, [
    "snmp_socket",
    "enable_snmp_vrrp",
    "enable_snmp_keepalived",
    "enable_snmp_checker",
    "enable_snmp_rfc",
    "enable_snmp_rfcv2",
    "enable_snmp_rfcv3",
    "enable_traps",
    "snmp_vs_stats_update_interval",
    "snmp_rs_stats_update_interval",
  ]),
  ...allRefused(NO_SYNC_DAEMON, ["lvs_sync_daemon"]),
};
