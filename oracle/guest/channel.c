// SPDX-License-Identifier: MIT OR Apache-2.0
#include "channel.h"

/* Also in oracle/src/target/linux/channel.rs. */
#define MAGIC 0x314c4e4e4148434eul
#define INPUT_BYTES (1ul << 17)
#define OUTPUT_BYTES (1ul << 18)

/* How often to look for input before giving the processor away, and for how long then. */
#define LOOKS 3000
#define SLEEP_NANOSECONDS 40000
/* A machine whose host says nothing for so many sleeps is forgotten: it ends. */
#define SLEEPS_LIMIT 3000000ul

/* The host finds it by the words that it begins with, at the beginning of a page. */
static struct {
	volatile u64 magic;
	/* Bytes since the start. */
	volatile u64 input_given, input_taken, output_given, output_taken;
	volatile u64 inverted_magic;
	char unused[4096 - 48];
	volatile char input[INPUT_BYTES];
	volatile char output[OUTPUT_BYTES];
} channel __attribute__((aligned(4096)));

static char line[LINE_LIMIT];
/* What was said and not handed over. */
static u64 said;
static int is_open;

static void open_channel(void)
{
	if (is_open)
		return;
	is_open = 1;
	said = channel.output_given;
	channel.inverted_magic = ~MAGIC;
	__sync_synchronize();
	channel.magic = MAGIC;
}

static void rest(void)
{
	u64 time[2] = { 0, SLEEP_NANOSECONDS };

	CALL2(NANOSLEEP, time, NULL);
}

static void power_off(void)
{
	CALL4(REBOOT, 0xfee1dead, 672274793, 0x4321fedc, 0);
	CALL1(EXIT, 0);
}

static void wait_for_input(u64 taken)
{
	u64 sleeps = 0;

	for (;;) {
		int looks;

		for (looks = 0; looks < LOOKS; looks++)
			if (channel.input_given != taken)
				return;
		if (++sleeps > SLEEPS_LIMIT)
			power_off();
		rest();
	}
}

char *next_line(void)
{
	u64 taken, given, length = 0;

	open_channel();
	taken = given = channel.input_taken;
	for (;;) {
		char character;

		if (taken == given) {
			channel.input_taken = taken;
			given = channel.input_given;
			if (taken == given) {
				flush();
				wait_for_input(taken);
				given = channel.input_given;
			}
			__sync_synchronize();
		}
		character = channel.input[taken++ % INPUT_BYTES];
		if (character == '\n')
			break;
		if (length < LINE_LIMIT - 1)
			line[length++] = character;
	}
	channel.input_taken = taken;
	line[length] = 0;
	return line;
}

void flush(void)
{
	open_channel();
	__sync_synchronize();
	channel.output_given = said;
}

void say_character(char character)
{
	open_channel();
	while (said - channel.output_taken >= OUTPUT_BYTES) {
		flush();
		rest();
	}
	channel.output[said++ % OUTPUT_BYTES] = character;
}

void say_bytes(const char *bytes, u64 count)
{
	while (count--)
		say_character(*bytes++);
}

void say(const char *text)
{
	while (*text)
		say_character(*text++);
}

void say_decimal(u64 number)
{
	char digits[20];
	int count = 0;

	do
		digits[count++] = '0' + number % 10;
	while (number /= 10);
	while (count)
		say_character(digits[--count]);
}

static char digit(u8 value)
{
	return value < 10 ? '0' + value : 'a' + value - 10;
}

void say_hexadecimal(u64 number)
{
	int shift = 60;

	say("0x");
	while (shift && !(number >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		say_character(digit(number >> shift & 15));
}

void say_hexadecimal_bytes(const u8 *bytes, u64 count)
{
	const volatile u8 *from = bytes;

	while (count--) {
		u8 byte = *from++;

		say_character(digit(byte >> 4));
		say_character(digit(byte & 15));
	}
}
