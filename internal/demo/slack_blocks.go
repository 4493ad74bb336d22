package demo

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What Slack takes of Block Kit.
const (
	blocksMost      = 50
	blocksTextMost  = 13200 // the text of all blocks together; seen, not published
	attachmentsMost = 100
	footerMost      = 300
)

var attachmentColor = regexp.MustCompile(`^(good|warning|danger|#?[0-9A-Fa-f]{3}|#?[0-9A-Fa-f]{6})$`)

// checkLayout judges the blocks and attachments of a message.
func checkLayout(blocks, attachments json.RawMessage) *refusal {
	k := &layout{}
	if blocks != nil {
		var list []any
		if json.Unmarshal(blocks, &list) != nil {
			return &refusal{code: "invalid_blocks_format"}
		}
		k.blocks("/blocks", list)
		if len(k.problems) > 0 {
			return &refusal{code: "invalid_blocks", messages: k.problems}
		}
	}
	if attachments != nil {
		var list []any
		if json.Unmarshal(attachments, &list) != nil {
			return &refusal{code: "invalid_attachments"}
		}
		if len(list) > attachmentsMost {
			return &refusal{code: "too_many_attachments"}
		}
		for i, a := range list {
			k.attachment("/attachments/"+strconv.Itoa(i), a)
		}
		if len(k.problems) > 0 {
			return &refusal{code: "invalid_attachments", messages: k.problems}
		}
	}
	if k.chars > blocksTextMost {
		return &refusal{code: "msg_blocks_too_long"}
	}
	return nil
}

// layout judges one message's blocks and gathers what is wrong.
type layout struct {
	problems []string
	ids      map[string]bool // block_ids of the message
	actions  map[string]bool // action_ids of the block at hand
	chars    int
}

type object = map[string]any

func (k *layout) fail(at, format string, args ...any) {
	k.problems = append(k.problems, "[ERROR] "+fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

// object gives a value that must be an object with no other keys than those named.
func (k *layout) object(at string, v any, keys string) object {
	o, ok := v.(object)
	if !ok {
		k.fail(at, "must provide an object")
		return nil
	}
	allowed := strings.Fields(keys)
	for key := range o {
		if !slices.Contains(allowed, key) {
			k.fail(at, "invalid additional property: %s", key)
		}
	}
	return o
}

// text gives a text that must be there (least > 0) and have at most `most` characters.
func (k *layout) text(at string, o object, key string, least, most int) string {
	v, given := o[key]
	if !given || v == nil {
		if least > 0 {
			k.fail(at, "missing required field: %s", key)
		}
		return ""
	}
	s, ok := v.(string)
	at += "/" + key
	switch n := chars(s); {
	case !ok:
		k.fail(at, "must provide a string")
	case n < least:
		k.fail(at, "must be more than %d characters", least-1)
	case n > most:
		k.fail(at, "must be less than %d characters", most+1)
	}
	return s
}

// list gives a list that must have from least to most items.
func (k *layout) list(at string, o object, key string, least, most int) []any {
	v, given := o[key]
	if !given || v == nil {
		if least > 0 {
			k.fail(at, "missing required field: %s", key)
		}
		return nil
	}
	items, ok := v.([]any)
	at += "/" + key
	switch {
	case !ok:
		k.fail(at, "must provide an array")
	case len(items) < least:
		k.fail(at, "no fewer than %d items allowed", least)
	case len(items) > most:
		k.fail(at, "no more than %d items allowed", most)
	}
	return items
}

// textObject judges a text object: kinds is plain_text, mrkdwn or both.
func (k *layout) textObject(at string, v any, kinds string, most int) {
	o := k.object(at, v, "type text emoji verbatim")
	if o == nil {
		return
	}
	kind, _ := o["type"].(string)
	if kind == "" || !slices.Contains(strings.Fields(kinds), kind) {
		k.fail(at+"/type", "unsupported type: %s", kind)
	}
	other := map[string]string{"plain_text": "verbatim", "mrkdwn": "emoji"}[kind]
	if _, given := o[other]; other != "" && given {
		k.fail(at, "invalid additional property: %s", other)
	}
	for _, key := range []string{"emoji", "verbatim"} {
		if v, given := o[key]; given {
			if _, ok := v.(bool); !ok {
				k.fail(at+"/"+key, "must provide a boolean")
			}
		}
	}
	s := k.text(at, o, "text", 1, most)
	if strings.TrimSpace(s) == "" && s != "" {
		k.fail(at+"/text", "must be more than 0 characters")
	}
	k.chars += chars(s)
}

func (k *layout) required(at string, o object, key string) (any, string, bool) {
	v, given := o[key]
	if !given || v == nil {
		k.fail(at, "missing required field: %s", key)
	}
	return v, at + "/" + key, given && v != nil
}

// link judges a URL.
func (k *layout) link(at string, o object, key string, needed bool) {
	least := 0
	if needed {
		least = 1
	}
	s := k.text(at, o, key, least, 3000)
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Scheme != "mailto" || strings.ContainsAny(s, " \n\t") {
		k.fail(at+"/"+key, "must be a valid URL")
	}
}

func (k *layout) blocks(at string, list []any) {
	if len(list) > blocksMost {
		k.fail(at, "no more than %d items allowed", blocksMost)
		return
	}
	for i, b := range list {
		k.block(at+"/"+strconv.Itoa(i), b)
	}
}

// blockKeys are the keys each type of block may have besides type and block_id.
var blockKeys = map[string]string{
	"header": "text level", "section": "text fields accessory expand", "divider": "", "context": "elements", "actions": "elements",
	"image": "image_url slack_file alt_text title", "markdown": "text", "rich_text": "elements",
	"table": "rows column_settings",
}

func (k *layout) block(at string, v any) {
	o, ok := v.(object)
	if !ok {
		k.fail(at, "must provide an object")
		return
	}
	kind, _ := o["type"].(string)
	keys, known := blockKeys[kind]
	if !known {
		k.fail(at+"/type", "unsupported type: %s", kind)
		return
	}
	k.object(at, v, "type block_id "+keys)
	if id := k.text(at, o, "block_id", 0, 255); id != "" {
		if k.ids[id] {
			k.fail(at+"/block_id", "block_id already exists: %s", id)
		}
		if k.ids == nil {
			k.ids = map[string]bool{}
		}
		k.ids[id] = true
	}
	k.actions = nil
	switch kind {
	case "header":
		if v, at, ok := k.required(at, o, "text"); ok {
			k.textObject(at, v, "plain_text", 150)
		}
	case "section":
		k.section(at, o)
	case "context":
		for i, e := range k.list(at, o, "elements", 1, 10) {
			k.contextElement(at+"/elements/"+strconv.Itoa(i), e)
		}
	case "actions":
		for i, e := range k.list(at, o, "elements", 1, 25) {
			k.element(at+"/elements/"+strconv.Itoa(i), e, false)
		}
	case "image":
		k.image(at, o)
		if t, given := o["title"]; given {
			k.textObject(at+"/title", t, "plain_text", 2000)
		}
	case "markdown":
		k.chars += chars(k.text(at, o, "text", 1, 12000))
	case "rich_text":
		for i, e := range k.list(at, o, "elements", 1, 1000) {
			k.rich(at+"/elements/"+strconv.Itoa(i), e)
		}
	case "table":
		for i, row := range k.list(at, o, "rows", 1, 100) {
			if cells, ok := row.([]any); !ok || len(cells) > 20 {
				k.fail(at+"/rows/"+strconv.Itoa(i), "no more than 20 items allowed")
			}
		}
	}
}

func (k *layout) section(at string, o object) {
	text, hasText := o["text"]
	fields := k.list(at, o, "fields", 0, 10)
	if _, given := o["fields"]; given && len(fields) == 0 {
		k.fail(at+"/fields", "no fewer than 1 items allowed")
	}
	if !hasText && len(fields) == 0 {
		k.fail(at, "missing required field: text")
	}
	if hasText {
		k.textObject(at+"/text", text, "plain_text mrkdwn", 3000)
	}
	for i, f := range fields {
		k.textObject(at+"/fields/"+strconv.Itoa(i), f, "plain_text mrkdwn", 2000)
	}
	if e, given := o["accessory"]; given {
		k.element(at+"/accessory", e, true)
	}
}

func (k *layout) contextElement(at string, v any) {
	o, _ := v.(object)
	if kind, _ := o["type"].(string); kind == "image" {
		k.object(at, v, "type image_url slack_file alt_text")
		k.image(at, o)
		return
	}
	k.textObject(at, v, "plain_text mrkdwn", 3000)
}

func (k *layout) image(at string, o object) {
	if _, file := o["slack_file"]; !file {
		k.link(at, o, "image_url", true)
	}
	k.text(at, o, "alt_text", 1, 2000)
}

// elementKeys are the keys each interactive element may have besides type, action_id, confirm and
// focus_on_load.
var elementKeys = map[string]string{
	"button": "text url value style accessibility_label", "overflow": "options",
	"static_select": "placeholder options option_groups initial_option", "multi_static_select": "placeholder options option_groups initial_options max_selected_items",
	"users_select": "placeholder initial_user", "conversations_select": "placeholder initial_conversation default_to_current_conversation response_url_enabled filter",
	"channels_select": "placeholder initial_channel response_url_enabled", "external_select": "placeholder initial_option min_query_length",
	"datepicker": "placeholder initial_date", "timepicker": "placeholder initial_time timezone", "datetimepicker": "initial_date_time",
	"checkboxes": "options initial_options", "radio_buttons": "options initial_option",
}

func (k *layout) element(at string, v any, accessory bool) {
	o, ok := v.(object)
	if !ok {
		k.fail(at, "must provide an object")
		return
	}
	kind, _ := o["type"].(string)
	if kind == "image" && accessory {
		k.object(at, v, "type image_url slack_file alt_text")
		k.image(at, o)
		return
	}
	keys, known := elementKeys[kind]
	if !known || kind == "multi_static_select" && !accessory {
		k.fail(at, "unsupported element: %s", kind)
		return
	}
	k.object(at, v, "type action_id confirm focus_on_load "+keys)
	if id := k.text(at, o, "action_id", 0, 255); id != "" {
		if k.actions[id] {
			k.fail(at+"/action_id", "`action_id` %q already exists", id)
		}
		if k.actions == nil {
			k.actions = map[string]bool{}
		}
		k.actions[id] = true
	}
	if c, given := o["confirm"]; given {
		k.confirm(at+"/confirm", c)
	}
	if p, given := o["placeholder"]; given {
		k.textObject(at+"/placeholder", p, "plain_text", 150)
	}
	switch kind {
	case "button":
		k.button(at, o)
	case "overflow":
		k.options(at, o, 1, 5)
	case "checkboxes", "radio_buttons":
		k.options(at, o, 1, 10)
	case "static_select", "multi_static_select":
		if _, groups := o["option_groups"]; !groups {
			k.options(at, o, 1, 100)
		}
	}
}

func (k *layout) button(at string, o object) {
	if v, at, ok := k.required(at, o, "text"); ok {
		k.textObject(at, v, "plain_text", 75)
	}
	k.link(at, o, "url", false)
	k.text(at, o, "value", 0, 2000)
	k.text(at, o, "accessibility_label", 0, 75)
	if style, given := o["style"]; given && style != "primary" && style != "danger" {
		k.fail(at+"/style", "unsupported style: %v", style)
	}
}

func (k *layout) options(at string, o object, least, most int) {
	values := map[string]bool{}
	for i, v := range k.list(at, o, "options", least, most) {
		at := at + "/options/" + strconv.Itoa(i)
		option := k.object(at, v, "text value description url")
		if option == nil {
			continue
		}
		if v, at, ok := k.required(at, option, "text"); ok {
			k.textObject(at, v, "plain_text mrkdwn", 75)
		}
		value := k.text(at, option, "value", 0, 150)
		if value != "" && values[value] {
			k.fail(at+"/value", "duplicate value: %s", value)
		}
		values[value] = true
		k.link(at, option, "url", false)
		if d, given := option["description"]; given {
			k.textObject(at+"/description", d, "plain_text mrkdwn", 75)
		}
	}
}

func (k *layout) confirm(at string, v any) {
	o := k.object(at, v, "title text confirm deny style")
	if o == nil {
		return
	}
	for key, most := range map[string]int{"title": 100, "text": 300, "confirm": 30, "deny": 30} {
		kinds := "plain_text"
		if key == "text" {
			kinds = "plain_text mrkdwn"
		}
		if v, at, ok := k.required(at, o, key); ok {
			k.textObject(at, v, kinds, most)
		}
	}
}

// richKeys are the keys of what a rich text is made of.
var richKeys = map[string]string{
	"text": "text style", "link": "url text unsafe style", "emoji": "name unicode style skin_tone", "user": "user_id style",
	"channel": "channel_id style", "usergroup": "usergroup_id style", "broadcast": "range style", "color": "value style",
	"date": "timestamp format url fallback style",
}

func (k *layout) rich(at string, v any) {
	o, ok := v.(object)
	if !ok {
		k.fail(at, "must provide an object")
		return
	}
	kind, _ := o["type"].(string)
	switch kind {
	case "rich_text_section", "rich_text_quote", "rich_text_preformatted":
		k.object(at, v, "type elements border language")
		for i, e := range k.list(at, o, "elements", 1, 1000) {
			k.richPart(at+"/elements/"+strconv.Itoa(i), e)
		}
	case "rich_text_list":
		k.object(at, v, "type elements style indent offset border")
		if style, _ := o["style"].(string); style != "bullet" && style != "ordered" {
			k.fail(at+"/style", "must be bullet or ordered")
		}
		for i, e := range k.list(at, o, "elements", 1, 1000) {
			if part, _ := e.(object); part["type"] != "rich_text_section" {
				k.fail(at+"/elements/"+strconv.Itoa(i), "unsupported type: %v", part["type"])
				continue
			}
			k.rich(at+"/elements/"+strconv.Itoa(i), e)
		}
	default:
		k.fail(at+"/type", "unsupported type: %s", kind)
	}
}

func (k *layout) richPart(at string, v any) {
	o, ok := v.(object)
	kind, _ := o["type"].(string)
	keys, known := richKeys[kind]
	if !ok || !known {
		k.fail(at+"/type", "unsupported type: %s", kind)
		return
	}
	k.object(at, v, "type "+keys)
	switch kind {
	case "text":
		k.chars += chars(k.text(at, o, "text", 1, 1<<30))
	case "link":
		k.link(at, o, "url", true)
		k.chars += chars(k.text(at, o, "text", 0, 1<<30))
	}
}

// attachment judges one attachment. The old fields are free texts; its blocks are judged as blocks.
func (k *layout) attachment(at string, v any) {
	o := k.object(at, v, "id color blocks fallback pretext author_name author_link author_icon author_subname title title_link text fields "+
		"image_url thumb_url footer footer_icon ts mrkdwn_in callback_id actions attachment_type")
	if o == nil {
		return
	}
	if color, given := o["color"]; given {
		if s, ok := color.(string); !ok || s != "" && !attachmentColor.MatchString(s) {
			k.fail(at+"/color", "must be good, warning, danger or a hex colour")
		}
	}
	k.text(at, o, "footer", 0, footerMost)
	said := false
	for _, key := range []string{"fallback", "pretext", "author_name", "title", "text", "footer", "image_url"} {
		s, isText := o[key].(string)
		if _, given := o[key]; given && !isText {
			k.fail(at+"/"+key, "must provide a string")
		}
		said = said || s != ""
	}
	for i, f := range k.list(at, o, "fields", 0, 100) {
		k.object(at+"/fields/"+strconv.Itoa(i), f, "title value short")
		said = true
	}
	blocks := k.list(at, o, "blocks", 0, blocksMost)
	if len(blocks) <= blocksMost {
		k.blocks(at+"/blocks", blocks)
	}
	if !said && len(blocks) == 0 {
		k.fail(at, "must say something")
	}
}
