/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The control socket: one JSON object a line in, one a line out, in order.
 *
 * {"cmd":"status"}   {"cmd":"reload"}   {"cmd":"reload","only":"devices"}   {"cmd":"netfilter","mode":"nodivert"}
 * {"cmd":"learned","client":"100.64.0.7","addr":"203.0.113.9"}   {"cmd":"rules"}
 * {"cmd":"drops"}    {"cmd":"drops","after":17,"wait":true}
 * {"cmd":"dns",…}    see control_dns.h       {"cmd":"override",…}    see control_override.h
 * {"cmd":"dns",…}    see control_dns.h
 * {"cmd":"lists"}    {"cmd":"lists","do":"update","names":["ads"],"force":true}
 *
 * Who may open the socket may do everything that it offers: its file is root's, mode 0660. */
#pragma once

#include "base/err.h"
#include "gatewayd/control_dns.h"
#include "gatewayd/control_override.h"
#include "policy/document.h"

struct event_base;
struct control;
struct control_client;
struct cJSON;

#define CONTROL_CLIENTS_MAX 32u	   /* people and scripts of one host */
#define CONTROL_LINE_MAX    65536u /* no command is longer than 200 bytes today */

enum control_cmd_kind {
	CONTROL_STATUS = 0,
	CONTROL_RELOAD,
	CONTROL_LEARNED,
	CONTROL_NETFILTER,
	CONTROL_RULES,
	CONTROL_DROPS,
	CONTROL_DNS,
	CONTROL_OVERRIDE,
	CONTROL_LISTS
};

/* As many as a view may choose from. */
#define CONTROL_LISTS_MAX     64u
#define CONTROL_LIST_NAME_MAX 128u

struct control_lists {
	bool update;
	bool force; /* whatever the new text's size */
	uint32_t n; /* 0: all of them */
	char names[CONTROL_LISTS_MAX][CONTROL_LIST_NAME_MAX];
};

struct control_cmd {
	enum control_cmd_kind kind;
	bool devices_only;	     /* CONTROL_RELOAD */
	struct ip_addr client, addr; /* CONTROL_LEARNED */
	enum netfilter_mode mode;    /* CONTROL_NETFILTER */
	uint64_t after;		     /* CONTROL_DROPS: those with greater numbers */
	bool wait;		     /* the same: if there are none, until there are */
	struct control_dns dns;	     /* CONTROL_DNS */
	struct control_override override;
	struct control_lists lists; /* CONTROL_LISTS */
};

/* Pure. 0, or -EINVAL with the reason in @e. */
int control_parse(const char *line, size_t len, struct control_cmd *ret, struct err *e);

/* A command came. Answer with control_reply(), now or later; until then the client's next line waits. */
typedef void (*control_fn)(void *arg, struct control_client *client, const struct control_cmd *cmd);

/* Makes the socket at @path in the place of an older one. @ret: returned, control_free(), which removes it. */
int control_new(struct event_base *base, const char *path, control_fn fn, void *arg, struct control **ret,
		struct err *e);
struct control *control_free(struct control *c);
/* Exactly once for each command; @reply is freed. NULL: out of memory is what is said. The client may be gone by then:
 * this is the end of @client for the caller in any case. */
void control_reply(struct control_client *client, struct cJSON *reply);
