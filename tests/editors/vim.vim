" vim -N -es -u vim.vim FILE -c 'call Run()'
" Opens FILE with ALE, waits for findings, reads the hover, repairs the finding by its code action, waits until it is gone.
set nocompatible noswapfile hidden
filetype plugin on
let g:ale_linters_explicit = 1
let g:ale_linters = {'python': ['codehunch']}
let g:ale_lint_on_enter = 0
let g:ale_echo_cursor = 0
let g:ale_hover_to_preview = 1
packadd ale
call ale#linter#Define('python', {'name': 'codehunch', 'lsp': 'stdio', 'language': 'python',
  \ 'executable': $CODEHUNCH, 'command': '%e serve --stdio', 'project_root': {buffer -> getcwd()}})

" The person who reads the list and types a number: the first action that does not silence the rule.
runtime autoload/ale/util.vim
func! ale#util#Input(message, value) abort
  for l:line in split(a:message, "\n")[1:]
    if l:line !~# 'Ignore\| defect'
      return matchstr(l:line, '^\d\+')
    endif
  endfor
  return ''
endfunc

func! Report(row) abort
  call writefile([json_encode(a:row)], $REPORT, 'a')
endfunc

func! Findings() abort
  return map(copy(ale#engine#GetLoclist(bufnr(''))), {_, each -> {'line': each.lnum - 1, 'column': each.col - 1,
    \ 'text': strpart(getline(each.lnum), each.col - 1, each.end_col - each.col + 1), 'code': get(each, 'code', '')}})
endfunc

func! WaitFor(some) abort
  let l:times = 0
  while empty(ale#engine#GetLoclist(bufnr(''))) == a:some && l:times < 4800
    sleep 50m
    let l:times += 1
  endwhile
endfunc

func! Run() abort
  call ale#Queue(0)
  call WaitFor(1)
  let l:found = Findings()
  call Report({'findings': l:found})
  if empty(l:found) | cquit! | endif
  let l:window = win_getid()
  let l:before = getline(1, '$')
  call cursor(l:found[0].line + 1, l:found[0].column + 1)
  ALEHover
  let l:times = 0
  while winnr('$') == 1 && l:times < 4800
    sleep 50m
    let l:times += 1
  endwhile
  wincmd P
  call Report({'hover': join(getline(1, '$'), "\n")})
  pclose
  call win_gotoid(l:window)
  ALECodeAction
  let l:times = 0
  while getline(1, '$') ==# l:before && l:times < 4800
    sleep 50m
    let l:times += 1
  endwhile
  call ale#Queue(0)
  call WaitFor(0)
  call Report({'after': Findings(), 'mended': getline(1, '$')})
  qall!
endfunc
