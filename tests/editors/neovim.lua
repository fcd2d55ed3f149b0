-- nvim --headless --clean -u neovim.lua FILE
-- Opens FILE, waits for findings, reads the hover, repairs the finding by its quick fix, changes a setting, has bodies
-- written. Each step is a line in $REPORT. Runs in 0.7, 0.11 and 0.12.
vim.o.swapfile = false
vim.o.completeopt = 'menuone,noinsert'
local ghost = os.getenv('GHOST') == '1'

local function report(row)
  local out = assert(io.open(os.getenv('REPORT'), 'a'))
  out:write(vim.json.encode(row), '\n')
  out:close()
end

-- What goes wrong in a callback ends the editor instead of waiting for somebody to read it.
local function guarded(step)
  return function()
    local fine, problem = pcall(step)
    if not fine then io.stderr:write(problem, '\n') vim.cmd('cq!') end
  end
end

local function findings(buffer)
  local rows = {}
  for _, each in ipairs(vim.diagnostic.get(buffer)) do
    local line = vim.api.nvim_buf_get_lines(buffer, each.lnum, each.lnum + 1, false)[1] or ''
    table.insert(rows, {line = each.lnum, column = each.col, text = line:sub(each.col + 1, each.end_col)})
  end
  return rows
end

local settings = {codehunch = {generationSeconds = 60}}
local capabilities = vim.lsp.protocol.make_client_capabilities()
if not ghost then capabilities.textDocument.inlineCompletion = nil end
local options = {
  name = 'codehunch',
  cmd = {os.getenv('CODEHUNCH'), 'serve', '--stdio'},
  root_dir = vim.fn.getcwd(),
  capabilities = capabilities,
  settings = settings,
}
if vim.lsp.config then
  options.filetypes = {'python'}
  vim.lsp.config('codehunch', options)
  vim.lsp.enable('codehunch')
end

local function client()
  return (vim.lsp.get_clients or vim.lsp.get_active_clients)({name = 'codehunch'})[1]
end

local function lines() return vim.api.nvim_buf_get_lines(0, 0, -1, false) end

local function hover()
  vim.lsp.buf.hover()
  local text
  vim.wait(240000, function()
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= '' then
        text = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
        vim.api.nvim_win_close(window, true)
        return true
      end
    end
  end, 50)
  return table.concat(text or {}, '\n')
end

local function repair()
  -- The other quick fixes silence the rule.
  local function repairs(action) return not action.title:find('^Ignore') and not action.title:find(' defect') end
  local context = {only = {'quickfix'}, diagnostics = {}}
  if vim.fn.has('nvim-0.8') == 1 then
    return vim.lsp.buf.code_action({apply = true, filter = repairs, context = context})
  end
  local params = vim.lsp.util.make_range_params(0, client().offset_encoding)
  params.context = context
  for _, answer in pairs(vim.lsp.buf_request_sync(0, 'textDocument/codeAction', params, 60000)) do
    for _, action in ipairs(answer.result or {}) do
      if repairs(action) and not action.edit then
        local whole = vim.lsp.buf_request_sync(0, 'codeAction/resolve', action, 60000)
        for _, resolved in pairs(whole) do action = resolved.result or action end
      end
      if repairs(action) then vim.lsp.util.apply_workspace_edit(action.edit, client().offset_encoding) end
    end
  end
end

local function configure(table)
  local now = client()
  now.config.settings = table
  if now.settings then now.settings = table end
  if vim.fn.has('nvim-0.11') == 1 then
    now:notify('workspace/didChangeConfiguration', {settings = table})
  else
    now.notify('workspace/didChangeConfiguration', {settings = table})
  end
  -- Who pulls and cannot be asked to pull again does so with the next edit.
  if vim.fn.has('nvim-0.11') == 1 and vim.fn.has('nvim-0.12') == 0 then
    vim.api.nvim_buf_set_lines(0, -1, -1, false, {''})
    vim.api.nvim_buf_set_lines(0, -2, -1, false, {})
  end
end

-- What is drawn behind the text by a namespace of inline completion.
local function drawn()
  local text = {}
  for name, space in pairs(vim.api.nvim_get_namespaces()) do
    if name:find('inline') then
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {details = true})) do
        for _, piece in ipairs(mark[4].virt_text or {}) do table.insert(text, piece[1]) end
        for _, line in ipairs(mark[4].virt_lines or {}) do
          for _, piece in ipairs(line) do table.insert(text, piece[1]) end
        end
      end
    end
  end
  return table.concat(text)
end

-- Call `done` once `condition` holds or the time is over; keys are read meanwhile, as they are not by vim.wait.
local function once(seconds, condition, done)
  local ends = vim.loop.now() + 1000 * seconds
  local function look()
    if condition() or vim.loop.now() > ends then return guarded(done)() end
    vim.defer_fn(guarded(look), 100)
  end
  look()
end

local function keys(text)
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(text, true, false, true), 'n', false)
end

local function fill(name)
  vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split(os.getenv(name:upper()), '\n'))
  vim.api.nvim_win_set_cursor(0, {vim.api.nvim_buf_line_count(0), 0})
end

local bodies

-- A body as an item of the completion list, taken with Ctrl-Y.
local function listed(name, rest)
  fill(name)
  local before = lines()
  vim.bo.omnifunc = 'v:lua.vim.lsp.omnifunc'
  keys('A<C-x><C-o>')
  once(240, function() return vim.fn.pumvisible() == 1 end, function()
    local shown = vim.fn.pumvisible()
    keys('<C-y>')
    once(30, function() return not vim.deep_equal(lines(), before) end, function()
      report({[name] = {shown = shown == 1, before = before, lines = lines()}})
      keys('<Esc>')
      vim.defer_fn(guarded(function() bodies(rest) end), 200)
    end)
  end)
end

-- A body as ghost text, accepted, and not drawn again.
local function ghostly(name, rest)
  fill(name)
  local before = lines()
  vim.lsp.inline_completion.enable(true, {bufnr = 0})
  keys('A')
  once(240, function() return drawn() ~= '' end, function()
    local shown = drawn()
    vim.lsp.inline_completion.get({bufnr = 0})
    once(30, function() return not vim.deep_equal(lines(), before) end, function()
      local accepted = lines()
      vim.defer_fn(guarded(function()
        report({[name] = {shown = shown, before = before, lines = accepted, again = drawn()}})
        keys('<Esc>')
        vim.defer_fn(guarded(function() bodies(rest) end), 200)
      end), 2500)
    end)
  end)
end

function bodies(names)
  if #names == 0 then vim.cmd('qa!') end
  local rest = {unpack(names, 2)}
  return (ghost and ghostly or listed)(names[1], rest)
end

local function run()
  local buffer = vim.api.nvim_get_current_buf()
  if not vim.lsp.config then vim.lsp.buf_attach_client(buffer, vim.lsp.start_client(options)) end
  vim.wait(240000, function() return #vim.diagnostic.get(buffer) > 0 end, 50)
  report({version = tostring(vim.version().major) .. '.' .. vim.version().minor, findings = findings(buffer)})
  local first = vim.diagnostic.get(buffer)[1]
  if not first then return vim.cmd('cq!') end
  vim.api.nvim_win_set_cursor(0, {first.lnum + 1, first.col})
  report({hover = hover()})
  configure({codehunch = {diagnostics = false}})
  vim.wait(240000, function() return #vim.diagnostic.get(buffer) == 0 end, 50)
  report({off = findings(buffer)})
  configure(settings)
  vim.wait(240000, function() return #vim.diagnostic.get(buffer) > 0 end, 50)
  report({on = findings(buffer)})
  vim.api.nvim_win_set_cursor(0, {first.lnum + 1, first.col})
  local wrong = lines()
  repair()
  vim.wait(240000, function() return not vim.deep_equal(lines(), wrong) end, 50)
  report({repaired = lines()})
  vim.wait(240000, function() return #vim.diagnostic.get(buffer) == 0 end, 50)
  report({after = findings(buffer)})
  -- A list holds only what the model is sure of, as it comes while typing.
  bodies(ghost and {'described', 'commented'} or {'described'})
end

vim.api.nvim_create_autocmd('VimEnter', {callback = function() vim.schedule(guarded(run)) end})
