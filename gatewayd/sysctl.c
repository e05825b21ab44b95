/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invariant: a value is written only when it differs, so that a host which is set up already (or has /proc/sys
 * read-only) is left alone; what is remembered is what was there before our first write. */
#include "gatewayd/sysctl.h"

#include <fcntl.h>

#define RP_FILTER(interface) "/proc/sys/net/ipv4/conf/" interface "/rp_filter"

static int read_value(const char *path, char ret[SYSCTL_VALUE_MAX])
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, SYSCTL_VALUE_MAX - 1);

	if (n < 0)
		return -errno;
	while (n > 0 && ret[n - 1] == '\n')
		n--;
	ret[n] = '\0';
	return 0;
}

static int write_value(const char *path, const char *value)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return -errno;
	return 0;
}

static int value_set(const char *path, const char *value, struct err *e)
{
	int r = write_value(path, value);

	return r < 0 ? err_set(e, r, "%s: cannot be set to %s: %s", path, value, strerror(-r)) : 0;
}

int sysctl_set(struct sysctls *s, const char *path, const char *value, struct err *e)
{
	char old[SYSCTL_VALUE_MAX];
	int r = read_value(path, old);

	if (r < 0)
		return err_set(e, r, "%s: %s", path, strerror(-r));
	if (strcmp(old, value) == 0)
		return 0;
	/* Again: an interface that went and came back has forgotten it. What was before us stays what was before us. */
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->items[i].path, path) == 0)
			return value_set(path, value, e);
	if (s->n == SYSCTL_MAX)
		return err_set(e, -E2BIG, "%s: too many settings", path);
	r = value_set(path, value, e);
	if (r < 0)
		return r;
	(void)snprintf(s->items[s->n].path, SYSCTL_PATH_MAX, "%s", path);
	(void)snprintf(s->items[s->n].old, SYSCTL_VALUE_MAX, "%s", old);
	s->n++;
	return 0;
}

int sysctl_accounting(struct sysctls *s, struct err *e)
{
	int r = sysctl_set(s, "/proc/sys/net/netfilter/nf_conntrack_acct", "1", e);

	if (r == 0)
		r = sysctl_set(s, "/proc/sys/net/netfilter/nf_conntrack_timestamp", "1", e);
	return r;
}

int sysctl_forwarding(struct sysctls *s, struct err *e)
{
	static const char ipv6[] = "/proc/sys/net/ipv6/conf/all/forwarding";
	int r = sysctl_set(s, "/proc/sys/net/ipv4/ip_forward", "1", e);

	if (r == 0 && access(ipv6, F_OK) == 0)
		r = sysctl_set(s, ipv6, "1", e);
	return r;
}

/* The stricter of the two, of all interfaces and of this one, is what the kernel goes by: 0 off, 2 loose, 1 strict, in
 * that its number for loose is the largest (ip-sysctl.txt, rp_filter). */
int sysctl_loose(struct sysctls *s, const char *interface, struct err *e)
{
	char all[SYSCTL_VALUE_MAX], own[SYSCTL_VALUE_MAX], path[SYSCTL_PATH_MAX];
	int r = read_value(RP_FILTER("all"), all);

	(void)snprintf(path, sizeof(path), RP_FILTER("%s"), interface);
	if (r == 0)
		r = read_value(path, own);
	if (r < 0)
		return err_set(e, r, "%s: %s", path, strerror(-r));
	if (strcmp(own, "2") == 0 || (strcmp(all, "1") != 0 && strcmp(own, "1") != 0))
		return 0;
	return strcmp(all, "2") == 0 ? 0 : sysctl_set(s, path, "2", e);
}

void sysctl_restore(struct sysctls *s)
{
	while (s->n > 0) {
		s->n--;
		(void)write_value(s->items[s->n].path, s->items[s->n].old);
	}
}
