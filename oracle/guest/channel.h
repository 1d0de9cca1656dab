// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Lines to and from the host.
 *
 * Without an MMU every process reaches every byte of the machine, and the host has the machine's memory as a
 * file: two rings of bytes in this program's memory carry the protocol.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "system.h"

#define LINE_LIMIT 4096

/* The next line without its line feed, ended by a zero byte. */
char *next_line(void);

void say_character(char character);
void say(const char *text);
void say_bytes(const char *bytes, u64 count);
void say_decimal(u64 number);
void say_hexadecimal(u64 number);
void say_hexadecimal_bytes(const u8 *bytes, u64 count);
/* Hands over what was said. */
void flush(void);

#endif
