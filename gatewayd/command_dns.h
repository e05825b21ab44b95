/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the control socket tells of DNS: asked of dnsd when somebody asks. */
#pragma once

#include "gatewayd/control.h"
#include "gatewayd/engine.h"

/* dnsd answers status, cache and flush at once: what takes longer is a dnsd that hangs. */
#define DNS_ANSWER_S 2
/* A look-up may have to wait for upstreams (dnsd's QUERY_DEADLINE_US, 4 s) and for the kernel. */
#define DNS_LOOKUP_S 10
/* Rows of one answer: entries of one name at all workers, or upstreams of all routes. */
#define DNS_ROWS_MAX 8192u

/* {"cmd":"dns",…} */
void command_dns(struct engine *e, struct control_client *client, const struct control_cmd *cmd);
/* Answer with @o (taken) once its member "dns" is there, or why it is not. */
void command_dns_status(struct engine *e, struct control_client *client, struct cJSON *o);
/* DNS_STATS, DNS_UPSTREAM, DNS_ENTRY, DNS_FOUND or DNS_DONE of dnsd. -EBADMSG: not what it should be. */
int command_dns_message(struct engine *e, const struct ipc_msg *m);
/* Nobody is to wait any more; @why is said. */
void command_dns_fail(struct engine *e, const char *why);
