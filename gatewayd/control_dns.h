/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The control socket's command "dns": what is asked of dnsd. */
#pragma once

#include "base/err.h"
#include "sluice/msg.h"

struct cJSON;

#define CONTROL_DEVICE_MAX 256u /* bytes of a device's name, with its end */

struct control_dns {
	enum dns_command what;
	uint32_t flags; /* DNS_FLUSH_*, DNS_LOOKUP_* */
	uint16_t type;	/* 0: all */
	char name[MSG_NAME_TEXT_MAX];
	char device[CONTROL_DEVICE_MAX]; /* or "", and then .client is set: DNS_COMMAND_LOOKUP */
	struct ip_addr client;
};

/* {"cmd":"dns","do":"status"}
 * {"cmd":"dns","do":"cache","name":"example.org","type":1}
 * {"cmd":"dns","do":"flush","name":"example.org","below":true}   {"cmd":"dns","do":"flush","all":true}
 * {"cmd":"dns","do":"lookup","name":"example.org","type":28,"device":"laptop","open":false,"cd":false}, or
 * "src":"100.64.0.7" Types are numbers (RFC 6895 3.1). Pure. 0, or -EINVAL with the reason in @e. */
int control_dns_parse(const struct cJSON *o, struct control_dns *ret, struct err *e);
