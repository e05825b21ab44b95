/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who holds dnsd's port. Sources: proc(5) /proc/net/udp; linux net/ipv4/udp.c: addresses are printed as numbers of the
 * host's order, four bytes each. */
#include "cli/doctor.h"

#include "cli/doctor_net.h"

#include <dirent.h>
#include <limits.h>

#define HOLDERS_MAX 64
#define TCP_LISTEN  0x0a

struct holder {
	struct ip_addr addr;
	unsigned long inode;
	bool udp, ours;
	char name[32]; /* of the process; empty: it could not be told */
	long pid;
};

struct holders {
	struct holder items[HOLDERS_MAX];
	uint32_t n;
};

static bool hex_addr(const char *hex, struct ip_addr *ret)
{
	size_t len = strlen(hex);
	uint8_t bytes[16];

	if (len != 8 && len != 32)
		return false;
	for (size_t i = 0; i < len / 8; i++) {
		char digits[9];
		uint32_t word;

		memcpy(digits, hex + i * 8, 8);
		digits[8] = '\0';
		word = (uint32_t)strtoul(digits, NULL, 16);
		memcpy(bytes + i * 4, &word, 4);
	}
	*ret = ip_addr_from_bytes(bytes, len / 2);
	return true;
}

static void table_read(const char *path, bool udp, uint16_t port, struct holders *ret)
{
	FILE *f = fopen(path, "re");
	char line[512];

	while (f != NULL && ret->n < HOLDERS_MAX && fgets(line, sizeof(line), f) != NULL) {
		struct holder h = { .udp = udp };
		char hex[33], at[9], state[9], inode[21];

		if (sscanf(line, "%*s %32[0-9A-Fa-f]:%8[0-9A-Fa-f] %*s %8s %*s %*s %*s %*s %*s %20s", hex, at, state,
			   inode) != 4 ||
		    strtoul(at, NULL, 16) != port || (!udp && strtoul(state, NULL, 16) != TCP_LISTEN) ||
		    !hex_addr(hex, &h.addr))
			continue;
		h.inode = strtoul(inode, NULL, 10);
		ret->items[ret->n++] = h;
	}
	if (f != NULL)
		(void)fclose(f);
}

static void process_look(long pid, struct holders *hs)
{
	char path[64], link[64], name[32];
	struct dirent *d;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	dir = opendir(path);
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		unsigned long inode;
		ssize_t len = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);

		if (len <= 0)
			continue;
		link[len] = '\0';
		if (strncmp(link, "socket:[", 8) != 0)
			continue;
		inode = strtoul(link + 8, NULL, 10);
		for (uint32_t i = 0; i < hs->n; i++) {
			struct holder *h = &hs->items[i];

			if (h->inode != inode || h->ours)
				continue;
			(void)snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
			if (small_file_read(path, name, sizeof(name)) < 0)
				continue;
			(void)snprintf(h->name, sizeof(h->name), "%s", name);
			h->pid = pid;
			h->ours = strncmp(name, "sluice-", 7) == 0;
		}
	}
	if (dir != NULL)
		(void)closedir(dir);
}

static void names_find(struct holders *hs)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc != NULL && (d = readdir(proc)) != NULL) {
		char *end;
		long pid = strtol(d->d_name, &end, 10);

		if (*end == '\0' && pid > 0)
			process_look(pid, hs);
	}
	if (proc != NULL)
		(void)closedir(proc);
}

static bool is_any(const struct ip_addr *a)
{
	static const struct ip_addr zero = { 0 };

	return memcmp(a->bytes, zero.bytes, sizeof(zero.bytes)) == 0;
}

/* Of those that hold @addr: ours, else whoever is in the way; NULL: nobody. */
static const struct holder *holder_of(const struct holders *hs, const struct ip_addr *addr, bool udp)
{
	const struct holder *found = NULL;

	for (uint32_t i = 0; i < hs->n; i++) {
		const struct holder *h = &hs->items[i];
		bool same = ip_addr_cmp(&h->addr, addr) == 0;

		/* [::] takes IPv4, too, unless told otherwise. */
		if (h->udp != udp ||
		    (!same && !(is_any(&h->addr) && (h->addr.family == addr->family || h->addr.family == IP_V6))))
			continue;
		if (found == NULL || h->ours)
			found = h;
	}
	return found;
}

static void holder_report(struct doctor *d, const struct holder *h, const char *addr, bool udp)
{
	uint16_t port = d->gateway.doc->dns_port;
	struct check *c;

	if (h == NULL) {
		c = report_add(&d->report, "port", CHECK_FAIL, "nobody answers at %s, %s port %u", addr,
			       udp ? "UDP" : "TCP", port);
		check_fix(c, "start sluice-gatewayd");
		return;
	}
	c = report_add(&d->report, "port", CHECK_FAIL, "%s port %u of %s is held by %s (process %ld)",
		       udp ? "UDP" : "TCP", port, addr, h->name[0] != '\0' ? h->name : "somebody", h->pid);
	if (strcmp(h->name, "systemd-resolve") == 0)
		check_fix(c, "DNSStubListener=no in /etc/systemd/resolved.conf, then systemctl restart "
			     "systemd-resolved");
	else
		check_fix(c, "stop it, let it listen on other addresses only, or set another \"port\" in \"dns\" of %s",
			  d->gateway.file);
	check_fix(c, "then start sluice-gatewayd again");
}

void check_port(struct doctor *d)
{
	const struct doc_tunnel *t = &d->gateway.doc->tunnel;
	uint16_t port = d->gateway.doc->dns_port;
	struct holders hs = { .n = 0 };
	uint32_t n_bad = 0;

	if (!d->root) {
		report_add(&d->report, "port", CHECK_SKIP, "who holds port %u is told to root only", port);
		return;
	}
	table_read("/proc/self/net/udp", true, port, &hs);
	table_read("/proc/self/net/udp6", true, port, &hs);
	table_read("/proc/self/net/tcp", false, port, &hs);
	table_read("/proc/self/net/tcp6", false, port, &hs);
	names_find(&hs);
	for (uint32_t i = 0; i < t->n_addresses; i++)
		for (int udp = 1; udp >= 0; udp--) {
			const struct holder *h = holder_of(&hs, &t->addresses[i].addr, udp == 1);
			char text[IP_TEXT_MAX];

			if (h != NULL && h->ours)
				continue;
			n_bad++;
			holder_report(d, h, ip_addr_print(&t->addresses[i].addr, text), udp == 1);
		}
	if (n_bad == 0)
		report_add(&d->report, "port", CHECK_OK, "port %u of the tunnel's addresses is dnsd's", port);
}
