/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host's own settings. Sources: linux Documentation/networking/ip-sysctl.rst, nf_conntrack-sysctl.rst;
 * lxc.container .conf(5); adjtimex(2). */
#include "cli/doctor.h"

#include "cli/doctor_judge.h"
#include "cli/doctor_net.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <time.h>

#define TUN_MAJOR 10
#define TUN_MINOR 200

static bool small_number(const char *path, unsigned long *ret)
{
	char text[32], *end;

	if (small_file_read(path, text, sizeof(text)) < 0)
		return false;
	*ret = strtoul(text, &end, 10);
	return end != text;
}

/* LXC gives containers devices by its own settings on the host, outside of this system. */
static bool in_container(void)
{
	char text[64];

	return access("/dev/.lxc", F_OK) == 0 || access("/.dockerenv", F_OK) == 0 ||
	       small_file_read("/run/systemd/container", text, sizeof(text)) == 0;
}

void check_tun(struct doctor *d)
{
	static const char path[] = "/dev/net/tun";
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;
	struct check *c;
	int r = 0;

	if (d->gateway.doc->tunnel.existing) {
		report_add(&d->report, "tun", d->tunnel_index != 0 ? CHECK_OK : CHECK_FAIL,
			   d->tunnel_index != 0 ? "%s is there, made by somebody else"
						: "%s, which somebody else makes, is not there",
			   d->tunnel);
		return;
	}
	if (stat(path, &st) == -1)
		r = -errno;
	else if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != TUN_MAJOR || minor(st.st_rdev) != TUN_MINOR)
		r = -ENODEV;
	else if (d->root) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		r = fd == -1 ? -errno : 0;
	}
	if (r == 0) {
		report_add(&d->report, "tun", CHECK_OK, "%s can be %s", path, d->root ? "opened" : "seen");
		return;
	}
	/* A tunnel of the kernel's own WireGuard needs none. */
	c = report_add(&d->report, "tun", d->tunnel_index != 0 ? CHECK_WARN : CHECK_FAIL, "%s: %s%s", path,
		       r == -EPERM ? "this container may not open it" : strerror(-r),
		       d->tunnel_index != 0 ? "; the tunnel is there without it" : "");
	if (in_container()) {
		check_fix(c, "in the container's settings on its host, for LXC and Proxmox /etc/pve/lxc/ID.conf:");
		check_fix(c, "lxc.cgroup2.devices.allow: c 10:200 rwm");
		check_fix(c, "lxc.mount.entry: /dev/net/tun dev/net/tun none bind,create=file");
	} else {
		check_fix(c, "modprobe tun");
	}
}

static void forwarding_one(struct doctor *d, const char *id, const char *path, const char *setting)
{
	unsigned long value = 0;

	if (!small_number(path, &value)) {
		report_add(&d->report, id, CHECK_SKIP, "%s is not there", path);
		return;
	}
	if (value != 0)
		report_add(&d->report, id, CHECK_OK, "%s is on", setting);
	else
		check_fix(report_add(&d->report, id, CHECK_FAIL, "%s is 0: nothing passes through this host", setting),
			  "sysctl -w %s=1", setting);
}

void check_forwarding(struct doctor *d)
{
	forwarding_one(d, "forwarding4", "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward");
	if (doctor_own_addr(d, IP_V6) == NULL)
		report_add(&d->report, "forwarding6", CHECK_SKIP, "the tunnel has no IPv6 address");
	else
		forwarding_one(d, "forwarding6", "/proc/sys/net/ipv6/conf/all/forwarding",
			       "net.ipv6.conf.all.forwarding");
}

/* Strict (1) drops what comes in by another way than the answer would take. */
void check_rp_filter(struct doctor *d)
{
	char path[128];
	unsigned long all = 0, one = 0;
	struct route r;
	bool other = false;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", d->tunnel);
	if (d->tunnel_index == 0 || !small_number(path, &one) ||
	    !small_number("/proc/sys/net/ipv4/conf/all/rp_filter", &all)) {
		report_add(&d->report, "rp_filter", CHECK_SKIP, "the tunnel %s is not there", d->tunnel);
		return;
	}
	if (all > one)
		one = all;
	for (uint32_t i = 0; d->has_policy && i < d->docs.devices->n_devices && !other; i++) {
		const struct doc_device *dev = &d->docs.devices->devices[i];

		for (uint32_t k = 0; k < dev->n_addrs && !other; k++)
			other = dev->addrs[k].family == IP_V4 && dev->state == DEVICE_ACTIVE &&
				route_get(&dev->addrs[k], NULL, 0, &r) == 0 && r.oif != d->tunnel_index;
	}
	if (one != 1 || !other) {
		report_add(&d->report, "rp_filter", CHECK_OK, "rp_filter of %s is %lu, and %s", d->tunnel, one,
			   other ? "it lets other ways pass" : "the answers to all devices go back that way");
		return;
	}
	check_fix(report_add(&d->report, "rp_filter", CHECK_FAIL,
			     "rp_filter of %s is 1 (strict), and the answers to some device go another way: its "
			     "packets are dropped",
			     d->tunnel),
		  "sysctl -w net.ipv4.conf.%s.rp_filter=2%s", d->tunnel,
		  all == 1 ? " net.ipv4.conf.all.rp_filter=2" : "");
}

void check_conntrack(struct doctor *d)
{
	unsigned long count = 0, max = 0;
	enum check_level level;

	if (!small_number("/proc/sys/net/netfilter/nf_conntrack_count", &count) ||
	    !small_number("/proc/sys/net/netfilter/nf_conntrack_max", &max) || max == 0) {
		report_add(&d->report, "conntrack", CHECK_SKIP, "conntrack's table cannot be read%s",
			   d->root ? "" : " (try as root)");
		return;
	}
	level = conntrack_level(count, max);
	report_add(&d->report, "conntrack", level, "%lu of %lu connections%s", count, max,
		   level == CHECK_OK ? "" : ": when it is full, new ones are dropped");
	if (level != CHECK_OK)
		check_fix(&d->report.items[d->report.n - 1], "sysctl -w net.netfilter.nf_conntrack_max=%lu", max * 4);
}

void check_clock(struct doctor *d)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);
	bool kept = state != -1 && state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
	enum check_level level = clock_level(time(NULL), kept);

	if (level == CHECK_OK)
		report_add(&d->report, "clock", level, "the clock is kept right");
	else if (level == CHECK_WARN)
		check_fix(report_add(&d->report, "clock", level,
				     "nothing keeps the clock right: DNSSEC, TLS and schedules depend on it"),
			  "timedatectl set-ntp true");
	else
		check_fix(report_add(&d->report, "clock", level,
				     "the clock is wrong: it is before 2026, DNSSEC and TLS fail"),
			  "set it and let it be kept: timedatectl set-ntp true");
}
