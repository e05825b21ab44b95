/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands of the control socket, carried out on the engine. */
#pragma once

#include "gatewayd/control.h"
#include "gatewayd/engine.h"

/* For control_new(); @arg is the engine. */
void command_run(void *arg, struct control_client *client, const struct control_cmd *cmd);
