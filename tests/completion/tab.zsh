# SPDX-License-Identifier: LGPL-2.1-or-later
# tab.zsh FOLDER SCRATCH: reads lines such as "vmfreqctl --js", types each into a zsh that completes with FOLDER's functions,
# presses Tab, and prints what the line has become. SCRATCH is for compinit's dump.
zmodload zsh/zpty || exit 77

zpty shell zsh -f -i
# tell COMMAND...: and wait until it was done, so that its echo isn't taken for an answer
tell() {
	local seen
	zpty -w shell "$*; print -r -- 'do''ne'"
	zpty -r -m shell seen $'*done\r\n*' || exit 1
}

tell "PS1= PS2= fpath=(${(q)1} \$fpath); unsetopt beep listbeep zle_bracketed_paste; unset zle_bracketed_paste"
tell "autoload -U compinit; compinit -u -d ${(q)2}/dump"
tell "zstyle ':completion:*' insert-tab false; setopt noautolist nolistambiguous noautomenu"
# The widget tells what became of the line, and empties it.
tell "answer() { zle complete-word; print -r -- \"<\$BUFFER>\"; BUFFER= }"
tell "zle -N answer; zle -C complete-word complete-word _main_complete; bindkey '^I' answer"
while read -r line; do
	zpty -w -n shell "$line"$'\t'
	zpty -r -m shell seen '*<*>*' || exit 1
	print -r -- "${${seen##*<}%%>*}"
done
zpty -d shell
