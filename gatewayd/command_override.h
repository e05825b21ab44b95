/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What passes for a while: begun and ended by an administrator, ended by the clock. */
#pragma once

#include "gatewayd/control.h"
#include "gatewayd/engine.h"

/* Of those of the gatewayd before, what is not over is in force again with the first plan. 0 or -errno: no timer; a
 * file that cannot be read is said in the log, and nothing of it passes. */
int command_override_open(struct engine *e, struct err *err);
void command_override_close(struct engine *e);
/* {"cmd":"override",…} */
void command_override(struct engine *e, struct control_client *client, const struct control_cmd *cmd);
/* Member "overrides" of @o. */
void command_override_status(const struct engine *e, struct cJSON *o);
