/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the control socket tells of lists, and their update by hand. */
#pragma once

#include "gatewayd/control.h"
#include "gatewayd/engine.h"

/* {"cmd":"lists",…}: answered at once, or when what is to be updated is done. */
void command_lists(struct engine *e, struct control_client *client, const struct control_cmd *cmd);
/* A download may be done. */
void command_lists_wake(struct engine *e);
/* The gateway ends. */
void command_lists_end(struct engine *e);
/* The member "lists" of `status`. */
void command_lists_status(const struct engine *e, struct cJSON *o);
