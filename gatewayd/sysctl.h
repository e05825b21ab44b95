/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's settings that a gateway needs; the old values are put back at a clean end. */
#pragma once

#include "base/err.h"

#define SYSCTL_MAX	 8
#define SYSCTL_VALUE_MAX 16

struct sysctl {
	const char *path;
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
void sysctl_restore(struct sysctls *s);
/* @value into @path if it is different; remembered in @s. 0 or negative errno. */
int sysctl_set(struct sysctls *s, const char *path, const char *value, struct err *e);
