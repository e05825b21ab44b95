/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's settings that a gateway needs; the old values are put back at a clean end. */
#pragma once

#include "base/err.h"

#define SYSCTL_MAX	 40 /* the host's, and one for each way out */
#define SYSCTL_VALUE_MAX 16
#define SYSCTL_PATH_MAX	 64

struct sysctl {
	char path[SYSCTL_PATH_MAX];
	char old[SYSCTL_VALUE_MAX]; /* empty: not changed by us */
};

struct sysctls {
	struct sysctl items[SYSCTL_MAX];
	uint32_t n;
};

/* Byte and time accounting of conntrack. Failures are reported by the return value, forwarding can go on. */
int sysctl_accounting(struct sysctls *s, struct err *e);
/* Forwarding, IPv4 and IPv6. Only when the table is in the kernel. A host without IPv6 is fine. */
int sysctl_forwarding(struct sysctls *s, struct err *e);
/* Answers that come by @interface while the host's own route leads elsewhere are taken: rp_filter loose where it is
 * strict. IPv6 has no such filter. */
int sysctl_loose(struct sysctls *s, const char *interface, struct err *e);
void sysctl_restore(struct sysctls *s);
/* @value into @path if it is different; remembered in @s. 0 or negative errno. */
int sysctl_set(struct sysctls *s, const char *path, const char *value, struct err *e);
