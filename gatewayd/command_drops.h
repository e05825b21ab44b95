/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the control socket tells of refused packets: how many, by which rule, and the last ones. */
#pragma once

#include "gatewayd/control.h"
#include "gatewayd/engine.h"

/* A client that waits for the next drop is answered after this time with none, and may ask again: so one that has gone
 * meanwhile does not keep its place for ever. */
#define DROPS_WAIT_S 10

/* {"cmd":"drops"}: at once, or when there is one. */
void command_drops(struct engine *e, struct control_client *client, const struct control_cmd *cmd);
/* Answer those who wait, if there is something for them. */
void command_drops_wake(struct engine *e);
/* Nobody is to wait any more. */
void command_drops_end(struct engine *e);
/* {"cmd":"rules"}: what each rule has counted. Returned. */
struct cJSON *command_rules(struct engine *e);
/* The members "refused" and "drops" of the status. */
void command_drops_status(struct engine *e, struct cJSON *o);
